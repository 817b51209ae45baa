from collections.abc import Callable
from pathlib import Path

import pytest

from asr.corpora.candidate import CorpusError, Splits
from asr.corpora.librispeech import load_librispeech
from asr.corpora.prepare import prepare


@pytest.fixture
def tree(tmp_path: Path, speak: Callable[..., Path]) -> Path:
    source = tmp_path / "LibriSpeech"
    for subset, suffix in (("train-clean-5", "flac"), ("dev-mini", "opus")):
        chapter = source / subset / "19" / "198"
        for number in range(2):
            speak(chapter / f"19-198-000{number}.{suffix}")
        (chapter / "19-198.trans.txt").write_text("19-198-0000 MISTER  O'NEIL\n19-198-0001 YES\n")
    (source / "notes").mkdir()
    return source


def load(source: Path) -> Splits:
    return load_librispeech(source, source / "out", lambda done, total: None)


def test_each_subset_is_a_split(tree: Path, tmp_path: Path) -> None:
    splits = load(tree)
    assert list(splits) == ["dev-mini", "train-clean-5"]
    assert [(c.id, c.speaker, c.audio.suffix) for c in splits["dev-mini"]] == [
        ("19-198-0000", "19", ".opus"),
        ("19-198-0001", "19", ".opus"),
    ]
    result = prepare("librispeech", tree, tmp_path / "out")
    assert [(split.split, split.n_utterances) for split in result.splits] == [("dev-mini", 2), ("train-clean-5", 2)]


def test_missing_audio_and_transcripts_are_faults(tree: Path, speak: Callable[..., Path]) -> None:
    chapter = tree / "dev-mini" / "19" / "198"
    (chapter / "19-198-0001.opus").unlink()
    speak(chapter / "19-198-0002.opus")
    faults = {c.id: c.fault for c in load(tree)["dev-mini"] if c.fault}
    assert set(faults) == {"19-198-0001", "19-198-0002"}
    assert "no audio file" in faults["19-198-0001"]
    assert "no transcript" in faults["19-198-0002"]


def test_wrong_trees_are_refused(tree: Path) -> None:
    with pytest.raises(CorpusError, match=r"looked for SUBSET/\*/\*/\*.trans.txt"):
        load(tree / "dev-mini")
    (tree / "dev-mini" / "19" / "198" / "19-198.trans.txt").write_text("MISTER\n")
    with pytest.raises(CorpusError, match=r"19-198.trans.txt:1: expected `SPEAKER-CHAPTER-NUMBER TEXT`"):
        load(tree)


def test_the_real_corpus(corpora_dir: Path) -> None:
    splits = load(corpora_dir / "LibriSpeech")
    sizes = {split: len(rows) for split, rows in splits.items()}
    assert sizes == {"dev-mini": 118, "test-mini": 179, "test-other-mini": 100, "train-mini": 1335}
    assert sum(len(c.text.split()) for c in splits["test-mini"]) == 6085
    assert not any(c.fault for rows in splits.values() for c in rows)
