"""Folders, NeMo's manifests, Kaldi's folders, Hugging Face's audio folders."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from own_data import faults, sound

from asr.corpora.candidate import CorpusError
from asr.corpora.folder import load_folder
from asr.corpora.hugging_face import load_hf
from asr.corpora.kaldi import load_kaldi
from asr.corpora.nemo import load_nemo
from asr.corpora.prepare import LAYOUTS, prepare


def write(path: Path, content: str | bytes = "yes") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_folder_of_audio_and_text(tmp_path: Path) -> None:
    for name in ("a.wav", "anna/b c.mp3", "anna/deep/d.flac", "._a.wav", ".hidden/x.wav"):
        write(tmp_path / name)
        write((tmp_path / name).with_suffix(".txt"), f"It is {name}\nand more")
    write(tmp_path / "no text.wav")
    write(tmp_path / "no audio.txt")
    write(tmp_path / "anna" / "README.txt")
    write(tmp_path / "latin.wav")
    write(tmp_path / "latin.txt", b"caf\xe9")
    splits = load_folder(tmp_path, None, tmp_path)
    rows = {row.id: row for row in splits[""] if not row.fault}
    assert {id_: (row.audio.name, row.speaker) for id_, row in rows.items()} == {
        "a": ("a.wav", ""),
        "anna-b_c": ("b c.mp3", "anna"),
        "anna-deep-d": ("d.flac", "deep"),
    }
    assert rows["a"].text == "It is a.wav and more"
    broken = faults(splits)
    assert broken.pop("no audio.txt").startswith("no audio file")
    assert broken == {"no text.wav": "no transcript", "latin.txt:1": "not UTF-8"}


def test_folders_named_after_splits(tmp_path: Path) -> None:
    for name in ("test/s/a.wav", "Training/s/b.wav", "valid/c.wav", "other/d.wav"):
        write(tmp_path / name)
        write((tmp_path / name).with_suffix(".txt"))
    assert sound(load_folder(tmp_path, None, tmp_path)) == {"train": ["s-b"], "dev": ["c"], "test": ["s-a"]}


def test_nemo(tmp_path: Path) -> None:
    rows = [
        {"audio_filepath": "a.wav", "duration": 2.5, "text": "Yes", "speaker": "s", "lang": "de", "note": "x"},
        {"audio_filepath": "a.wav", "duration": 1.5, "offset": 0.0, "text": "Yes"},
        {"audio_filepath": "a.wav", "duration": 1.5, "offset": 2.0, "text": "Yes", "id": "mine"},
        {"audio_filepath": "../../etc/passwd", "text": "Yes"},
        {"audio_filepath": "a.wav\u0000", "text": "Yes"},
        {"audio_filepath": 7, "text": "Yes"},
        {"audio_filepath": "a.wav", "text": ["Yes"]},
        {"audio_filepath": "a.wav", "text": "Yes", "duration": -1},
        {"audio_filepath": "a.wav", "text": "Yes", "duration": True},
        ["a.wav", "Yes"],
    ]
    lines = [json.dumps(row) for row in rows] + ["", '{"audio_filepath"', "[" * 100_000, "\x1b[2J", "NaN"]
    path = write(tmp_path / "list.json", "\r\n".join(lines))
    listed = load_nemo(path, None, tmp_path)
    one, two, three = (row for row in listed[""] if not row.fault)
    assert (one.id, one.start_s, one.duration_s, one.claimed_s) == ("a", 0.0, None, 2.5)
    assert (one.speaker, one.language, one.further) == ("s", "de", {"note": "x"})
    assert (two.id, two.start_s, two.duration_s, two.claimed_s) == ("a-00000000-00001500", 0.0, 1.5, None)
    assert (three.id, three.start_s, three.duration_s) == ("mine", 2.0, 1.5)
    assert faults(listed) == {
        "list.json:4": "outside",
        "list.json:5": "no audio named",
        "list.json:6": "not a text",
        "list.json:7": "not a text",
        "list.json:8": "not a time",
        "list.json:9": "not a time",
        "list.json:10": "not a row",
        "list.json:12": "not JSON",
        "list.json:13": "not JSON",
        "list.json:14": "control character in line",
        "list.json:15": "not a row",
    }


@pytest.fixture
def kaldi(tmp_path: Path) -> Path:
    top = tmp_path / "kaldi"
    write(top / "wav.scp", "rec1 wav/a b.flac\nrec2\twav/c.flac\nrec3 sox evil.wav -t wav - |\nrec4 raw.ark:17\n")
    write(
        top / "segments",
        "u1 rec1 0.0 1.5\nu2 rec1 1.5 3\nu3 rec3 0 1\nu4 rec4 0 1\nu5 rec9 0 1\nu6 rec2 2 1\nu7 rec2 2 -1\n",
    )
    write(top / "text", "u1 ONE\nu2\tTWO  three\nu3 x\nu4 x\nu5 x\nu6 x\nu7 seven\nu8 x\nu1 AGAIN\n")
    write(top / "utt2spk", "u1 anna\nu2 anna\nu7 bert\n")
    return top


def test_kaldi(kaldi: Path) -> None:
    splits = load_kaldi(kaldi, None, kaldi)
    rows = {row.id: row for row in splits[""] if not row.fault}
    assert list(rows) == ["u1", "u2", "u7"]
    assert [(row.start_s, row.duration_s, row.speaker, row.text) for row in rows.values()] == [
        (0.0, 1.5, "anna", "ONE"),
        (1.5, 1.5, "anna", "TWO  three"),
        (2.0, None, "bert", "seven"),
    ]
    assert rows["u1"].audio == kaldi / "wav" / "a b.flac"
    broken = {row.id: (row.fault or "").split(":")[0] for row in splits[""] if row.fault}
    assert broken == {
        "u3": "a command",
        "u4": "not a file",
        "u5": "no audio",
        "u6": "not a segment",
        "u8": "no audio",
        "text:9": "second line for u1, the first is line 1; take one out",
    }


PIPES = [
    "touch {mark} |",
    "cat a.wav | touch {mark} |",
    "| touch {mark}",
    "$(touch {mark}).wav |",
    "`touch {mark}`",
    "a.wav; touch {mark}",
]


@pytest.mark.parametrize("command", PIPES)
def test_no_command_of_a_wav_scp_is_run(tmp_path: Path, command: str) -> None:
    mark = tmp_path / "mark"
    write(tmp_path / "k" / "wav.scp", f"u1 {command.format(mark=mark)}\n")
    write(tmp_path / "k" / "text", "u1 yes\n")
    with pytest.raises(CorpusError, match="1 of 1 utterances are broken"):
        prepare("kaldi", tmp_path / "k", tmp_path / "out", split="train")
    assert not mark.exists()


def test_kaldi_without_segments_and_with_several_folders(tmp_path: Path) -> None:
    for name in ("train", "dev", "eval92"):
        write(tmp_path / name / "wav.scp", f"{name}-1 /corpora/x.wav\n")
        write(tmp_path / name / "text", f"{name}-1 yes\n{name}-2 no\n")
    splits = load_kaldi(tmp_path, Path("/corpora"), tmp_path)
    assert sound(splits) == {"dev": ["dev-1"], "eval92": ["eval92-1"], "train": ["train-1"]}
    assert set(faults(load_kaldi(tmp_path, None, tmp_path)).values()) == {"outside", "no audio"}


def test_hugging_face_metadata(tmp_path: Path) -> None:
    top = tmp_path / "one"
    write(top / "metadata.csv", "file_name,transcription\ntrain/a.wav,yes\ntest/b.wav,no\n../c.wav,x\n")
    splits = load_hf(top, None, tmp_path)
    assert sound(splits) == {"train": ["train-a"], "test": ["test-b"], "": []}
    assert faults(splits) == {"metadata.csv:4": "outside"}
    for split in ("train", "validation"):
        write(tmp_path / "two" / split / "metadata.jsonl", '{"file_name": "a.wav", "text": "yes", "accent": "x"}')
    splits = load_hf(tmp_path / "two", None, tmp_path)
    assert sound(splits) == {"train": ["a"], "dev": ["a"]}
    assert splits["train"][0].further == {"accent": "x"}


def test_hugging_face_parquet(tmp_path: Path, speak: Callable[..., Path]) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    from pyarrow import parquet

    content = speak(tmp_path / "a.flac").read_bytes()
    rows = [
        {"audio": {"bytes": content, "path": "../../evil.flac"}, "text": "Yes", "speaker_id": 7},
        {"audio": {"bytes": None, "path": "x.flac"}, "text": "No", "speaker_id": 8},
    ]
    source = tmp_path / "set" / "data"
    source.mkdir(parents=True)
    for name in ("train-00000-of-00001", "test-00000-of-00001"):
        parquet.write_table(pyarrow.Table.from_pylist(rows), source / f"{name}.parquet")
    result = prepare("hf", tmp_path / "set", tmp_path / "out", max_rejected=0.5)
    assert [(split.split, split.n_utterances, split.n_rejected) for split in result.splits] == [
        ("test", 1, 1),
        ("train", 1, 1),
    ]
    written = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").glob("audio/*/*"))
    assert written == [f"audio/{split}/{split}-00000-of-00001-00000000.flac" for split in ("test", "train")]
    write(source / "train-00000-of-00001.parquet", b"PAR1 not")
    with pytest.raises(CorpusError, match="cannot read it as Parquet"):
        prepare("hf", tmp_path / "set", tmp_path / "out")


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_a_source_that_is_not_there_or_empty(tmp_path: Path, layout: str) -> None:
    (tmp_path / "empty").mkdir()
    for source in (None, tmp_path / "missing", tmp_path / "empty"):
        with pytest.raises(CorpusError, match=layout):
            prepare(layout, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


SEED = b'path,text\na.wav,one\n{"audio_filepath": "a.wav", "text": "x", "offset": 1}\nu1 rec 0.5 1\n'
EDITS = st.lists(
    st.tuples(
        st.integers(0, len(SEED)),
        st.sampled_from(
            [
                b"\0",
                b"\xff",
                b"\r",
                b'"',
                b",",
                b"\n",
                b"\t",
                b"{",
                b"\xc2\xa0",
                b"9" * 400,
                b"|",
                b"../",
                b"\xef\xbb\xbf",
                b"",
            ]
        ),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS, junk=st.binary(max_size=60))
def test_whatever_a_list_holds_is_a_row_or_a_fault(tmp_path: Path, edits: list[tuple[int, bytes]], junk: bytes) -> None:
    content = SEED
    for at, piece in edits:
        content = content[:at] + piece + content[at + 1 :]
    content += junk
    for layout, names in {"table": ["l.csv"], "nemo": ["l.json"], "kaldi": ["wav.scp", "text", "segments"]}.items():
        top = tmp_path / layout
        for name in names:
            write(top / name, content)
        source = top if layout == "kaldi" else top / names[0]
        try:
            splits = LAYOUTS[layout](source, None, tmp_path)
        except CorpusError:
            continue
        for row in (row for rows in splits.values() for row in rows):
            assert row.fault or row.audio.is_relative_to(top)
