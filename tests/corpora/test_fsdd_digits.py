from collections.abc import Callable
from pathlib import Path

import pytest

from asr.corpora.candidate import CorpusError, Splits
from asr.corpora.fsdd_digits import load_fsdd_digits


def load(source: Path, out: Path) -> Splits:
    return load_fsdd_digits(source, out, lambda done, total: None)


def test_recordings_are_split_by_index_and_named_by_their_digit(tmp_path: Path, speak: Callable[..., Path]) -> None:
    recordings = tmp_path / "fsdd" / "recordings"
    for index in (0, 4, 5, 9, 10, 49, 50):
        for digit in (3, 7):
            speak(recordings / f"{digit}_ann_{index}.wav", 0.2, 8_000)
    (recordings / "notes.txt").touch()
    splits = load(tmp_path / "fsdd", tmp_path / "out")
    ids = {split: [row.id for row in rows] for split, rows in splits.items()}
    assert ids == {
        "train": ["3_ann_10", "3_ann_49", "7_ann_10", "7_ann_49"],
        "dev": ["3_ann_5", "3_ann_9", "7_ann_5", "7_ann_9"],
        "test": ["3_ann_0", "3_ann_4", "7_ann_0", "7_ann_4"],
    }
    last = splits["test"][-1]
    assert (last.text, last.speaker, last.audio) == ("seven", "ann", recordings / "7_ann_4.wav")
    assert not (tmp_path / "out").exists()


def test_a_tree_without_a_split_is_refused(tmp_path: Path, speak: Callable[..., Path]) -> None:
    speak(tmp_path / "fsdd" / "recordings" / "1_ann_0.wav", 0.2, 8_000)
    with pytest.raises(CorpusError, match=r"looked for .*_\{10\.\.49\}\.wav in .* and found none"):
        load(tmp_path / "fsdd", tmp_path / "out")


def test_the_real_corpus(corpora_dir: Path, tmp_path: Path) -> None:
    splits = load(corpora_dir / "free-spoken-digit-dataset", tmp_path)
    assert {split: len(rows) for split, rows in splits.items()} == {"train": 2000, "dev": 250, "test": 250}
