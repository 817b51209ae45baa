"""Hostile manifests, lists of utterances and archives."""

import json
import re
import tarfile
import zlib
from pathlib import Path

from hostile.payloads import DEEP, ESCAPE, UP, command, endless, gzip_bomb, pickled, pipe, put, row, tar, zipped
from hostile.place import Case, Place

from asr.corpora import utterances as utterances_room
from asr.corpora.utterances import Utterances

MANIFESTS: dict[str, Case] = {
    "codes in a text": (
        lambda p: ["stats", p.put("m.jsonl", row(text=ESCAPE, speaker=ESCAPE, language=ESCAPE))],
        0,
        r"\\x1b",
    ),
    "codes in a name": (lambda p: ["stats", p.put(f"{ESCAPE.replace('/', '')}.jsonl", "{}\n")], 1, r"\\x1b"),
    "a pickle": (lambda p: ["stats", p.put("m.jsonl", pickled(p.mark))], 1, "not UTF-8|not JSON"),
    "a pipe": (lambda p: ["stats", pipe(p.top / "m.jsonl")], 1, "a pipe or a device"),
    "a device": (lambda p: ["stats", endless(p.top / "m.jsonl")], 1, "a pipe or a device"),
    "depth without end": (lambda p: ["stats", p.put("m.jsonl", f"{DEEP}\n")], 1, "m.jsonl:1: not JSON"),
    "a number without end": (
        lambda p: ["stats", p.put("m.jsonl", row().replace("1.0", "1" + "0" * 4000))],
        1,
        "m.jsonl:1",
    ),
    "half a surrogate pair": (lambda p: ["stats", p.put("m.jsonl", row(text="\ud800"))], 1, "surrogate"),
    "an id that leads out": (lambda p: ["shard", _with_sound(p, id=UP), p.out], 0, "1 utterances"),
    "a command for audio": (
        lambda p: ["shard", p.put("m.jsonl", row(audio=f"{command(p.mark)} |")), p.out],
        1,
        "no such audio file|cannot be read",
    ),
    "an address for audio": (
        lambda p: ["shard", p.put("m.jsonl", row(audio="http://127.0.0.1:9/a.wav")), p.out],
        1,
        "cannot be read",
    ),
    "a pipe for audio": (
        lambda p: ["shard", p.put("m.jsonl", row(audio=str(pipe(p.top / "p.wav")))), p.out],
        1,
        "cannot be read",
    ),
    "a device for audio": (
        lambda p: ["shard", p.put("m.jsonl", row(audio="/dev/zero")), p.out],
        1,
        "cannot be read",
    ),
    "a part of another size": (
        lambda p: ["shard", _with_sound(p, part={"offset": 0, "size": 1 << 61, "crc32": 0}), p.out],
        1,
        "cannot be read",
    ),
    "a part before the file": (
        lambda p: ["shard", _with_sound(p, part={"offset": -1, "size": 9, "crc32": 0}), p.out],
        1,
        "'offset' of 'part' is -1",
    ),
    "a command for Kaldi": (
        lambda p: ["export", p.put("m.jsonl", row(audio=f"/x; {command(p.mark)} |")), p.out, "--to", "kaldi"],
        1,
        "Kaldi would take",
    ),
    "an index of another manifest": (lambda p: ["export", _with_index(p), p.out, "--to", "nemo"], 0, "m.json"),
}

LISTS: dict[str, Case] = {
    **{
        f"wav.scp: {line}": (
            lambda p, line=line: (
                [p.put("text", "u1 yes\n"), p.put("wav.scp", f"u1 {line.format(command(p.mark))}\n")]
                and p.prepare("kaldi")
            ),
            1,
            "1 of 1 utterances are broken",
        )
        for line in ("{} |", "cat a.wav | {} |", "| {}", "$({}).wav |", "`{}`", "a.wav; {}", "../../../etc/passwd", "-")
    },
    "kaldi: a text without end": (
        lambda p: [endless(p.top / "text"), p.put("wav.scp", "u1 a.wav\n")] and p.prepare("kaldi"),
        1,
        "a pipe or a device",
    ),
    "table: audio that leads out": (
        lambda p: (
            [p.put("l.csv", "path,text\n../../etc/passwd,x\n/etc/passwd,x\n")] and p.prepare("table", source="l.csv")
        ),
        1,
        "outside",
    ),
    "table: an id that leads out": (
        lambda p: [p.sound(), p.put("l.csv", f"path,text,id\na.wav,yes,{UP}\n")] and p.prepare("table", source="l.csv"),
        1,
        "1 of 1 utterances are broken",
    ),
    "table: a split that leads out": (
        lambda p: (
            [p.sound(), p.put("l.csv", f"path,text,split\na.wav,yes,{UP}\n")]
            and ["prepare", "table", p.top / "l.csv", p.out]
        ),
        1,
        "split|broken",
    ),
    "table: codes in a text": (
        lambda p: [p.sound(), p.put("l.csv", f"path,text\na.wav,{ESCAPE}\n")] and p.prepare("table", source="l.csv"),
        1,
        "control character",
    ),
    "table: a pipe": (lambda p: ["prepare", "table", pipe(p.top / "l.csv"), p.out], 1, "l.csv"),
    "nemo: audio that leads out": (
        lambda p: (
            [p.put("l.json", json.dumps({"audio_filepath": f"{UP}.wav", "text": "x"}))]
            and p.prepare("nemo", source="l.json")
        ),
        1,
        "outside",
    ),
    "nemo: depth without end": (
        lambda p: [p.put("l.json", f"{DEEP}\n")] and p.prepare("nemo", source="l.json"),
        1,
        "not JSON",
    ),
    "hf: audio that leads out": (
        lambda p: [p.put("metadata.csv", f"file_name,text\n{UP}.wav,x\n")] and p.prepare("hf"),
        1,
        "outside",
    ),
    **{
        f"lhotse: a source of type {kind}": (
            lambda p, kind=kind, source=source: _lhotse(p, kind, source.format(command(p.mark))),
            1,
            said,
        )
        for kind, source, said in (
            ("command", "{}", "a command"),
            ("url", "http://127.0.0.1:9/a.wav", "not a plain file"),
            ("memory", "AAAA", "not a plain file"),
            ("file", f"{UP}.wav", "outside"),
        )
    },
    "lhotse: a line without end": (
        lambda p: (
            [
                p.put("train_recordings.jsonl.gz", gzip_bomb()),
                p.put("train_supervisions.jsonl.gz", gzip_bomb()),
            ]
            and ["prepare", "lhotse", p.top, p.out]
        ),
        1,
        "a line longer than",
    ),
    "folder: a transcript without end": (
        lambda p: [p.sound(), endless(p.top / "a.txt")] and p.prepare("folder"),
        1,
        "a pipe or a device",
    ),
    "folder: audio that is a pipe": (
        lambda p: [pipe(p.top / "a.wav"), p.put("a.txt", "yes")] and p.prepare("folder"),
        1,
        "1 of 1 utterances are broken",
    ),
    "folder: codes in a transcript": (
        lambda p: [p.sound(), p.put("a.txt", f"yes {ESCAPE}")] and p.prepare("folder"),
        1,
        "control character",
    ),
    "folder: codes in a name": (
        lambda p: [p.sound(f"{ESCAPE}.wav"), p.put(f"{ESCAPE}.txt", "yes")] and p.prepare("folder"),
        1,
        "1 of 1 utterances are broken",
    ),
    "librispeech: an id that leads out": (
        lambda p: [p.put("dev-clean/1/2/1-2.trans.txt", f"{UP}-0 YES\n")] and ["prepare", "librispeech", p.top, p.out],
        1,
        "dev-clean|broken",
    ),
    "tedlium: a talk that leads out": (
        lambda p: (
            [p.put(f"{split}/stm/t.stm", f"{UP} 1 s 0 1 <o> x\n") for split in ("train", "dev", "test")]
            and ["prepare", "tedlium", p.top, p.out]
        ),
        1,
        "broken",
    ),
}

LINK, HARD, FIFO, CHAR = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE
ARCHIVES: dict[str, Case] = {
    "a name that leads out": (lambda p: p.download("a.tar.gz", tar({f"top/{UP}": b"x"})), 1, "outside|leads"),
    "an absolute name": (lambda p: p.download("a.tar.gz", tar({str(p.mark): b"x"})), 1, "a.tar.gz"),
    "a file through a link": (
        lambda p: p.download("a.tar.gz", tar({"top/l": (LINK, str(p.mark.parent / "outside")), "top/l/evil": b"x"})),
        1,
        "link",
    ),
    "a hard link": (lambda p: p.download("a.tar.gz", tar({"top/l": (HARD, "/etc/passwd")})), 1, "link"),
    "a pipe": (lambda p: p.download("a.tar.gz", tar({"top/p": (FIFO, "")})), 1, "a.tar.gz"),
    "a device": (lambda p: p.download("a.tar.gz", tar({"top/d": (CHAR, "")})), 1, "a.tar.gz"),
    "codes in a name": (lambda p: p.download("a.tar.gz", tar({f"top/{ESCAPE}": b"x"})), 1, r"\\x1b"),
    "a bomb": (lambda p: p.download("a.tar.gz", tar({"top/b": bytes(120 << 20)})), 1, "a.tar.gz"),
    "a zip's name that leads out": (lambda p: p.download("a.zip", zipped({f"top/{UP}": b"x"})), 1, "outside|leads"),
    "a zip's absolute name": (lambda p: p.download("a.zip", zipped({str(p.mark): b"x"})), 1, "a.zip"),
    "a zip's name of Windows": (lambda p: p.download("a.zip", zipped({"top\\..\\..\\evil": b"x"})), 1, "a.zip"),
    "a zip's link": (lambda p: p.download("a.zip", zipped({"top/l": b"/etc/passwd"}, link=True)), 1, "link"),
    "a zip's bomb": (lambda p: p.download("a.zip", zipped({"top/b": bytes(120 << 20)})), 1, "a.zip"),
}


def _with_sound(p: Place, **changes: object) -> Path:
    p.sound()
    return p.put("m.jsonl", row(**changes))


def _with_index(p: Place) -> Path:
    """An index is kept beside the manifest that says what no index of ours does."""
    p.patch.setattr(utterances_room, "KEPT_FROM_BYTES", 0)
    manifest = put(p.out / "m.jsonl", row())  # beside which an index may be written
    Utterances([manifest])
    kept = p.out / "m.jsonl.index"
    content = kept.read_bytes()
    kept.write_bytes(content.replace(b'"n_rows": 1', b'"n_rows": 9'))
    first = content.index(b"\n") + 1
    body = kept.read_bytes()[first:]
    header = re.sub(rb"CRC-32 \w{8}", b"CRC-32 %08x" % zlib.crc32(body), content[:first])
    kept.write_bytes(header + body)
    return manifest


def _lhotse(p: Place, kind: str, source: str) -> list[object]:
    recording = {"id": "r", "sources": [{"type": kind, "channels": [0], "source": source}], "sampling_rate": 16000}
    supervision = {"id": "u", "recording_id": "r", "start": 0, "duration": 1, "channel": 0, "text": "yes"}
    p.put("train_recordings.jsonl", json.dumps(recording))
    p.put("train_supervisions.jsonl", json.dumps(supervision))
    return ["prepare", "lhotse", p.top, p.out]
