"""Hostile texts to score, phrases, n-gram models, and recordings."""

from hostile.payloads import DEEP, ESCAPE, UP, endless, gzip_bomb, pickled, xz_bomb
from hostile.place import Case, Place

TEXTS: dict[str, Case] = {
    "score: a pickle": (lambda p: _score(p, pickled(p.mark), b"x\n"), 1, "not UTF-8|lines"),
    "score: depth without end": (lambda p: _score(p, DEEP.encode(), b"[]", suffix="json"), 1, "r.json"),
    "score: codes in ids": (
        lambda p: _score(p, f"yes (a{ESCAPE})\n".encode(), b"yes (b-1)\n", suffix="trn"),
        1,
        r"a%1B\[2J",
    ),
    "score: codes in words": (lambda p: _score(p, f"a {ESCAPE}\n".encode(), b"a b\n"), 0, "WER"),
    "score: an id that leads out": (
        lambda p: [*_score(p, f"{UP}-1 yes\n".encode(), f"{UP}-1 no\n".encode(), suffix="text"), "--out", p.out],
        0,
        "WER",
    ),
    "score: a script in a text": (
        lambda p: [*_score(p, b"a <script>alert(1)</script> b\n", b"a </script><script>alert(2) b\n"), "--out", p.out],
        0,
        "WER",
    ),
    "score: a device in a folder": (
        lambda p: [endless(p.top / "r" / "a.txt"), p.put("h/a.txt", "yes")] and ["score", p.top / "r", p.top / "h"],
        1,
        "holds no .txt",
    ),
    "score: rules that are none": (
        lambda p: [*_score(p, b"a\n", b"b\n"), "--normalize", p.put("rules.txt", f"{ESCAPE}\n")],
        1,
        "expected 'from TAB to'",
    ),
    "phrases: codes": (
        lambda p: p.transcribe("--phrases", p.put("p.txt", f"{ESCAPE}\n")),
        1,
        "the model has no token for",
    ),
    "phrases: weights": (lambda p: p.transcribe("--phrases", p.put("p.txt", "abba\tnan\n")), 1, "expected a number"),
    "phrases: a pickle": (lambda p: p.transcribe("--phrases", p.put("p.txt", pickled(p.mark))), 1, "UTF-8|no token"),
    "arpa: counts without end": (
        lambda p: _arpa(p, b"\\data\\\nngram 1=99999999999999999999\n\n\\1-grams:\n-1 a\n"),
        1,
        r"n\.arpa:\d+: ",
    ),
    "arpa: codes": (lambda p: _arpa(p, f"\\data\\\nngram 1=1\n\\1-grams:\n-1 {ESCAPE} x y z\n".encode()), 1, r"\\x1b"),
    "arpa: a pickle": (lambda p: _arpa(p, pickled(p.mark)), 1, "the file ends before"),
    "arpa: a line without end": (lambda p: _arpa(p, gzip_bomb(), "n.arpa.gz"), 1, "a line longer than"),
    "lm: a line without end": (
        lambda p: ["lm", p.put("t.txt.xz", xz_bomb()), "--tokenizer", p.model(), "--out", p.out / "n.arpa"],
        1,
        "a line longer than",
    ),
}

RECORDINGS: dict[str, Case] = {
    name: (lambda p, content=content, suffix=suffix: _recording(p, f"a.{suffix}", content), 1, f"a.{suffix}")
    for name, suffix, content in (
        ("a playlist", "m4a", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
        ("a list of files", "mp4", b"ffconcat version 1.0\nfile /etc/passwd\n"),
        ("an SDP of a stream", "wav", b"v=0\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n"),
        ("a movie that names another file", "mp4", b"\0\0\0\x18ftypqt  \0\0\0\0qt  " + b"\0\0\0\x10rdrf/etc/x"),
    )
} | {
    "a protocol for a name": (
        lambda p: ["transcribe", "--model", p.model(), "concat:/etc/passwd|/etc/passwd"],
        1,
        "no such|concat",
    ),
    "codes in a name": (lambda p: _recording(p, f"{ESCAPE}.wav", b"no audio"), 1, r"\\x1b|\.wav"),
}


def _score(p: Place, reference: bytes, hypothesis: bytes, suffix: str = "txt") -> list[object]:
    return ["score", p.put(f"r.{suffix}", reference), p.put(f"h.{suffix}", hypothesis)]


def _arpa(p: Place, content: bytes, name: str = "n.arpa") -> list[object]:
    return p.transcribe("--search", f"ngram={p.put(name, content)}")


def _recording(p: Place, name: str, content: bytes) -> list[object]:
    return ["transcribe", "--model", p.model(), p.put(name, content)]
