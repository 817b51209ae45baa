import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from asr.corpora.export import FILES, WRITERS, ExportError, export_manifest
from asr.corpora.manifest import Utterance, read_manifest, write_manifest
from asr.corpora.prepare import prepare
from asr.corpora.shards import write_shards

Speak = Callable[..., Path]


@pytest.fixture
def manifest(tmp_path: Path, speak: Speak) -> Path:
    """Whole files and segments, of two speakers and none, in no order."""
    long, short = speak(tmp_path / "long file.flac", 3.0, 8_000), speak(tmp_path / "b.wav", 1.0)
    rows = [
        Utterance("anna-2", long, 1.5, 1.25, "zwei ö", "anna", "de"),
        Utterance("anna-1", long, 0.0, 1.5, "eins", "anna", "de"),
        Utterance("bert-1", short, 0.0, 1.0, "it's", "bert", "en"),
    ]
    write_manifest(tmp_path / "train.jsonl", rows)
    return tmp_path / "train.jsonl"


@pytest.mark.parametrize("to", WRITERS)
def test_there_and_back(tmp_path: Path, manifest: Path, to: str) -> None:
    before = {row.id: row for row in read_manifest(manifest)}
    files = export_manifest(manifest, to, tmp_path / "out")
    assert sorted(path.relative_to(tmp_path / "out") for path in files) == sorted(
        path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*") if path.is_file()
    )
    result = prepare(to, tmp_path / "out", tmp_path / "back", audio_root=tmp_path, max_rejected=0.0)
    after = {row.id: row for row in read_manifest(result.splits[0].manifest)}
    assert result.splits[0].split == "train"
    assert after == before
    again = export_manifest(manifest, to, tmp_path / "again")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in files]


def test_nothing_is_replaced_unless_told(tmp_path: Path, manifest: Path) -> None:
    for to in WRITERS:
        export_manifest(manifest, to, tmp_path / "out")
        (tmp_path / "out" / FILES[to][0].format("train")).write_text("mine")
        with pytest.raises(ExportError, match="is there already.*--overwrite"):
            export_manifest(manifest, to, tmp_path / "out")
        export_manifest(manifest, to, tmp_path / "out", overwrite=True)
    with pytest.raises(ExportError, match="unknown form 'espnet'; expected one of kaldi, nemo, lhotse"):
        export_manifest(manifest, "espnet", tmp_path / "out")


def test_kaldi_is_sorted_as_its_tools_want(tmp_path: Path, speak: Speak) -> None:
    audio = speak(tmp_path / "a.wav", 3.0)
    names = [("z 1", "b b"), ("a", "b b"), ("Z", "ä"), ("m", "a"), ("é", "")]
    rows = [Utterance(id_, audio, 0.1 * n, 0.5, "x y", speaker, "") for n, (id_, speaker) in enumerate(names)]
    write_manifest(tmp_path / "m.jsonl", rows)
    export_manifest(tmp_path / "m.jsonl", "kaldi", tmp_path / "k")
    tables = {path.name: path.read_text().splitlines() for path in (tmp_path / "k" / "m").iterdir()}
    for lines in tables.values():
        keys = [line.split()[0].encode() for line in lines]
        assert keys == sorted(keys)
        assert len(set(keys)) == len(keys)
    assert tables["utt2spk"] == ["a-m a", "b_b-a b_b", "b_b-z_1 b_b", "ä-Z ä", "é é"]
    assert tables["wav.scp"] == [f"a-m {audio}"]
    assert not any("|" in line for line in tables["wav.scp"])
    assert "b_b b_b-a b_b-z_1" in tables["spk2utt"]


def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path, manifest: Path, speak: Speak) -> None:
    write_shards(manifest, tmp_path / "shards")
    with pytest.raises(ExportError, match="lies in a tar"):
        export_manifest(tmp_path / "shards" / "train.jsonl", "nemo", tmp_path / "out")
    odd = speak(tmp_path / "a\nb.wav")
    write_manifest(tmp_path / "odd.jsonl", [Utterance("a", odd, 0.0, 1.0, "x", "s", "en")])
    for to in WRITERS:
        with pytest.raises(ExportError, match="no path that a list could hold"):
            export_manifest(tmp_path / "odd.jsonl", to, tmp_path / "out")
    rows = [Utterance(id_, tmp_path / "b.wav", 0.0, 1.0, "x", "", "en") for id_ in ("a b", "a_b")]
    write_manifest(tmp_path / "same.jsonl", rows)
    with pytest.raises(ExportError, match="not unique"):
        export_manifest(tmp_path / "same.jsonl", "kaldi", tmp_path / "out")
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_a_hostile_text_stays_one_line(tmp_path: Path, speak: Speak) -> None:
    audio = speak(tmp_path / "a.wav")
    text = 'x\nb-1 evil |\r\u2028 "quoted" \\'
    write_manifest(tmp_path / "m.jsonl", [Utterance("a", audio, 0.0, 1.0, text, "s\nt", "en\n")])
    export_manifest(tmp_path / "m.jsonl", "kaldi", tmp_path / "k")
    export_manifest(tmp_path / "m.jsonl", "nemo", tmp_path / "n")
    export_manifest(tmp_path / "m.jsonl", "lhotse", tmp_path / "l")
    for path in (tmp_path / "k" / "m").iterdir():
        assert len(path.read_bytes().splitlines()) == 1
    assert json.loads((tmp_path / "n" / "m.json").read_text())["text"] == text
    with gzip.open(tmp_path / "l" / "m_supervisions.jsonl.gz") as file:
        assert json.loads(file.read())["text"] == text
