from collections.abc import Callable
from pathlib import Path

import pytest

from asr.corpora.an4 import load_an4
from asr.corpora.candidate import CorpusError, Splits
from asr.corpora.manifest import read_manifest
from asr.corpora.prepare import prepare

N_TRAIN = 6


@pytest.fixture
def tree(tmp_path: Path, speak: Callable[..., Path]) -> Path:
    source = tmp_path / "an4"
    (source / "etc").mkdir(parents=True)
    names = [(f"sp{'ba'[n % 2]}", f"an{n}") for n in range(N_TRAIN)]
    for part, folder, rows in (("train", "an4_clstk", names), ("test", "an4test_clstk", [("zz", "an99")])):
        fileids = [f"{folder}/{speaker}/{name}-{speaker}-b" for speaker, name in rows]
        for fileid in fileids:
            speak(source / "wav" / f"{fileid}.sph")
        lines = [f"<s> YES {n} </s> ({Path(fileid).name})" for n, fileid in enumerate(fileids)]
        (source / "etc" / f"an4_{part}.fileids").write_text("\n".join(fileids) + "\n")
        (source / "etc" / f"an4_{part}.transcription").write_text("\n".join(lines) + "\n")
    return source


def load(source: Path) -> Splits:
    return load_an4(source, source / "out", lambda done, total: None)


def test_dev_is_the_end_of_train_in_the_order_of_speakers(tree: Path) -> None:
    splits = load(tree)
    assert [c.id for c in splits["train"]] == ["an1-spa-b", "an3-spa-b", "an5-spa-b"]
    assert [c.id for c in splits["dev"]] == ["an0-spb-b", "an2-spb-b", "an4-spb-b"]
    assert [(c.id, c.speaker, c.text) for c in splits["test"]] == [("an99-zz-b", "zz", "YES 0")]
    assert splits["test"][0].audio.suffix == ".sph"


def test_sphere_files_are_prepared(tree: Path, tmp_path: Path) -> None:
    result = prepare("an4", tree, tmp_path / "out")
    assert [split.n_utterances for split in result.splits] == [3, 3, 1]
    assert read_manifest(tmp_path / "out" / "dev.jsonl")[0].text == "yes 0"


def test_missing_audio_and_transcripts_are_faults(tree: Path) -> None:
    next((tree / "wav").glob("*/*/an1-*")).unlink()
    transcripts = tree / "etc" / "an4_train.transcription"
    lines = transcripts.read_text().splitlines()
    transcripts.write_text("\n".join([*lines[:3], *lines[4:], "YES (an77-spa-b)"]))
    faults = {c.id: c.fault for split in load(tree).values() for c in split if c.fault}
    assert set(faults) == {"an1-spa-b", "an3-spa-b", "an77-spa-b"}
    assert "no audio file" in faults["an1-spa-b"]
    assert "no transcript" in faults["an3-spa-b"]
    assert "not listed" in faults["an77-spa-b"]


@pytest.mark.parametrize(("line", "message"), [("YES an1", "expected `TEXT"), ("NO (an0-spb-b)", "second transcript")])
def test_malformed_transcripts_are_refused_with_their_line(tree: Path, line: str, message: str) -> None:
    with (tree / "etc" / "an4_train.transcription").open("a") as file:
        file.write(line)
    with pytest.raises(CorpusError, match=message) as caught:
        load(tree)
    assert f"an4_train.transcription:{N_TRAIN + 1}:" in str(caught.value)


def test_the_real_corpus(corpora_dir: Path) -> None:
    splits = load(corpora_dir / "an4")
    assert {split: len(rows) for split, rows in splits.items()} == {"train": 848, "dev": 100, "test": 130}
    assert sum(len(c.text.split()) for c in splits["test"]) == 773
    assert len({c.speaker for c in splits["train"] + splits["dev"]}) == 74
    assert not any(c.fault for rows in splits.values() for c in rows)
    assert max(c.speaker for c in splits["train"]) <= min(c.speaker for c in splits["dev"])
