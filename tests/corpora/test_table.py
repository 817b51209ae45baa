from collections.abc import Callable
from pathlib import Path

import pytest
from own_data import faults, sound

from asr.corpora.candidate import Candidate, CorpusError
from asr.corpora.manifest import read_manifest
from asr.corpora.prepare import prepare
from asr.corpora.table import load_table


def read(tmp_path: Path, content: str | bytes, name: str = "list.csv") -> list[Candidate]:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [row for rows in load_table(path, None, tmp_path / "out").values() for row in rows]


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
@pytest.mark.parametrize("header", ["path,sentence,client_id", "Text,Speaker ID,Audio Path"])
def test_header_and_delimiter_are_found(tmp_path: Path, delimiter: str, header: str) -> None:
    values = {"path": "a/x y.wav", "audio path": "a/x y.wav", "sentence": "Yes", "text": "Yes"}
    row = [values.get(name.lower(), "anna") for name in header.split(",")]
    (candidate,) = read(tmp_path, "\n".join([delimiter.join(header.split(",")), delimiter.join(row)]))
    assert (candidate.id, candidate.audio, candidate.text) == ("a-x_y", tmp_path / "a" / "x y.wav", "Yes")
    assert (candidate.speaker, candidate.fault, candidate.listed) == ("anna", None, f"{tmp_path / 'list.csv'}:2")


def test_two_columns_need_no_header(tmp_path: Path) -> None:
    rows = read(tmp_path, "a.wav\tone\nb.wav\ttwo\n", "list.tsv")
    assert [(row.id, row.text) for row in rows] == [("a", "one"), ("b", "two")]


def test_quotes(tmp_path: Path) -> None:
    comma = read(tmp_path, 'path,text\na.wav,"He said ""no"", twice"\nb.wav,"open\nc.wav,fine\n')
    assert [row.text for row in comma if not row.fault] == ['He said "no", twice', "fine"]
    assert faults({"": comma}) == {"list.csv:3": "not a row"}  # an open quote does not swallow what follows
    tabs = read(tmp_path, 'path\ttext\na.wav\t"He said ""no"""\nb.wav\t"open\nc.wav\t"a" and "b"\n', "list.tsv")
    assert [row.text for row in tabs] == ['He said "no"', '"open', '"a" and "b"']


def test_segments_labels_and_further_columns(tmp_path: Path) -> None:
    one, two = read(tmp_path, "file,start,end,label,notes,lang\na.wav,1.5,2,on,loud,de\na.wav,,,off,,\n")
    assert (one.id, one.start_s, one.duration_s, one.text, one.language) == (
        "a-00001500-00002000",
        1.5,
        0.5,
        "on",
        "de",
    )
    assert one.further == {"label": "on", "notes": "loud"}
    assert (two.id, two.start_s, two.duration_s, two.text, two.language) == ("a", 0.0, None, "off", None)


def test_splits_by_column_by_file_and_none(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text("path,text,split\na.wav,a,train\nb.wav,b,validation\nc.wav,c,../x\nd.wav,d,\n")
    splits = load_table(tmp_path / "all.csv", None, tmp_path)
    assert sound(splits) == {"train": ["a"], "dev": ["b"], "": ["d"]}
    assert faults(splits) == {"all.csv:4": "not the name of a split"}
    for name in ("train", "valid", "test"):
        (tmp_path / f"{name}.tsv").write_text(f"path\ttext\n{name}.wav\tx\n")
    assert sound(load_table(tmp_path, None, tmp_path)) == {"test": ["test"], "train": ["train"], "dev": ["valid"]}


ROOT_LEFT = ["../a.wav", "/etc/passwd", "x/../../a.wav", "..", "~/../../a.wav"]


@pytest.mark.parametrize("audio", ROOT_LEFT)
def test_audio_outside_the_folder_is_refused(tmp_path: Path, audio: str) -> None:
    (row,) = read(tmp_path, f"path,text\n{audio},yes\n")
    assert row.fault
    assert row.fault.startswith("outside")
    assert "--audio-root" in row.fault


def test_another_root_for_audio(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"path,text\na.wav,yes\n{tmp_path}/wav/b.wav,no\n{tmp_path}/c.wav,no\n")
    rows = load_table(tmp_path / "list.csv", tmp_path / "wav", tmp_path)[""]
    assert [row.audio for row in rows[:2]] == [tmp_path / "wav" / "a.wav", tmp_path / "wav" / "b.wav"]
    assert faults({"": rows}) == {"list.csv:4": "outside"}


BROKEN = {
    "Latin-1": (b"a.wav,caf\xe9", "not UTF-8"),
    "NUL": (b"a.wav,a\0b", "control character in line"),
    "escape": (b"a.wav,\x1b[2Jyes", "control character in line"),
    "carriage return": (b"a.wav,one\rb.wav,two", "control character in line"),
    "right to left": ("a.wav,\u202eyes".encode(), "control character in line"),
    "giant": (b"a.wav," + b"x" * (1 << 20), "a line longer than 1048576 bytes; does it lack line ends?"),
    "too few": (b"a.wav", "not a row"),
    "too many": (b"a.wav,b,c", "not a row"),
    "no audio": (b",yes", "no audio named"),
    "address": (b"https://x/a.wav,yes", "not a file"),
}


@pytest.mark.parametrize(("line", "fault"), BROKEN.values(), ids=BROKEN)
def test_a_broken_line_is_a_fault_and_the_others_are_read(tmp_path: Path, line: bytes, fault: str) -> None:
    rows = read(tmp_path, b"\xef\xbb\xbfpath,text\r\n\r\n \t\r\na.wav,one\r\n" + line + b"\r\nb.wav,a\xc2\xa0b\r\n")
    assert [(row.id, row.text) for row in rows if not row.fault] == [("a", "one"), ("b", "a\u00a0b")]
    assert faults({"": rows}) == {"list.csv:5": fault}


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "1e99", "x", "0x10"])
def test_times_that_are_none(tmp_path: Path, value: str) -> None:
    (row,) = read(tmp_path, f"path,text,start\na.wav,yes,{value}\n")
    assert faults({"": [row]}) == {"list.csv:2": "not a time"}


def test_tables_that_cannot_be_understood(tmp_path: Path) -> None:
    for content, message in (
        (b"", "the table is empty"),
        (b"a,b,c\n1,2,3\n", "looked for columns of audio and text"),
        ("path,text\n".encode("utf-16"), "UTF-16 text; save it as UTF-8"),
        (b"p\xe4th,text\n", "not UTF-8"),
    ):
        with pytest.raises(CorpusError, match=message):
            read(tmp_path, content)
    with pytest.raises(CorpusError, match="found no list"):
        load_table(tmp_path, None, tmp_path)


def test_from_table_to_manifests(tmp_path: Path, speak: Callable[..., Path]) -> None:
    source, out = tmp_path / "mine", tmp_path / "out"
    speak(source / "wav" / "a.flac", 1.5, 8_000)
    for name in ("train", "dev"):
        (source / f"{name}.csv").parent.mkdir(exist_ok=True)
        (source / f"{name}.csv").write_text(
            "path,text,label,start,end\nwav/a.flac,ONE two,on,0.25,1\nwav/b.flac,x,,,\n"
        )
    result = prepare("table", source, out, max_rejected=0.5)
    assert [(split.split, split.n_utterances, split.n_rejected) for split in result.splits] == [
        ("dev", 1, 1),
        ("train", 1, 1),
    ]
    (row,) = read_manifest(out / "train.jsonl")
    assert (row.id, row.start_s, row.duration_s, row.text) == ("wav-a-00000250-00001000", 0.25, 0.75, "one two")
    assert read_manifest(out / "train.jsonl", target="label")[0].text == "on"
    assert "train.csv:3: wav-b: unreadable" in result.faults[-1].in_words()


def test_broken_rows_do_not_hide_that_there_are_splits(tmp_path: Path, speak: Callable[..., Path]) -> None:
    speak(tmp_path / "a.wav")
    rows = "a.wav,one,train\na.wav\x1b,x,train\n,x,\na.wav,two,dev\n"
    (tmp_path / "list.csv").write_text("path,text,split\n" + rows)
    result = prepare("table", tmp_path / "list.csv", tmp_path / "out", max_rejected=0.5)
    assert [(split.split, split.n_utterances, split.n_rejected) for split in result.splits] == [
        ("train", 1, 2),
        ("dev", 1, 0),
    ]
    assert result.divided == ""
    with pytest.raises(CorpusError, match="has splits train, dev of its own; leave out --split"):
        prepare("table", tmp_path / "list.csv", tmp_path / "out", split="train")
    (tmp_path / "list.csv").write_text("path,text,split\na.wav,one,test\na.wav,two,\na.wav,three,\na.wav,four,\n")
    mixed = prepare("table", tmp_path / "list.csv", tmp_path / "mixed", max_rejected=1.0)
    assert [split.split for split in mixed.splits] == ["train", "dev", "test"]
    assert "hash of the text" in mixed.divided


def test_the_list_itself_is_never_written_over(tmp_path: Path, speak: Callable[..., Path]) -> None:
    speak(tmp_path / "a.wav")
    listed = '{"audio_filepath": "a.wav", "text": "yes"}\n'
    (tmp_path / "train.jsonl").write_text(listed)
    with pytest.raises(CorpusError, match="no manifest of ours"):
        prepare("nemo", tmp_path, tmp_path)
    assert (tmp_path / "train.jsonl").read_text() == listed
    assert prepare("nemo", tmp_path, tmp_path / "out").splits[0].n_utterances == 1
    assert prepare("nemo", tmp_path, tmp_path / "out").splits[0].n_utterances == 1  # ours may be made again
