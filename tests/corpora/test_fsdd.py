from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from asr.corpora import fsdd
from asr.corpora.candidate import CorpusError, Splits
from asr.corpora.fsdd import load_fsdd


@pytest.fixture
def tree(tmp_path: Path, speak: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(fsdd, "PARTS", {"test": (range(1), 7), "dev": (range(5, 6), 5), "train": (range(10, 13), 60)})
    for digit in range(10):
        for speaker in ("ann", "bob"):
            for index in (0, 5, 10, 11, 12):
                speak(tmp_path / "fsdd" / "recordings" / f"{digit}_{speaker}_{index}.wav", 0.2, 8_000)
    return tmp_path / "fsdd"


def load(source: Path, out: Path) -> Splits:
    return load_fsdd(source, out, lambda done, total: None)


def test_strings_are_recordings_joined_with_silence(tree: Path, tmp_path: Path) -> None:
    (tree / "strings_test.tsv").write_text(
        "id\tspeaker\ttext\tfiles\nx-1\tann\tone two\trecordings/1_ann_0.wav recordings/2_ann_0.wav\n"
    )
    (candidate,) = load(tree, tmp_path / "out")["test"]
    assert (candidate.id, candidate.speaker, candidate.text, candidate.fault) == ("x-1", "ann", "one two", None)
    assert candidate.audio == tmp_path / "out" / "audio" / "test" / "x-1.flac"
    samples, rate_hz = sf.read(candidate.audio, dtype="int16")
    first, second = (sf.read(tree / "recordings" / f"{digit}_ann_0.wav", dtype="int16")[0] for digit in (1, 2))
    assert rate_hz == 8_000
    assert sf.info(candidate.audio).subtype == "PCM_16"
    np.testing.assert_array_equal(samples, np.concatenate([first, np.zeros(1_200, np.int16), second]))


def test_drawn_strings_keep_to_their_recordings_and_share_none_with_train(tree: Path, tmp_path: Path) -> None:
    splits = load(tree, tmp_path / "out")
    assert {split: len(rows) for split, rows in splits.items()} == {"train": 60, "dev": 5, "test": 7}
    assert all(3 <= len(c.text.split()) <= 7 for rows in splits.values() for c in rows)
    texts = {split: {c.text for c in rows} for split, rows in splits.items()}
    assert not texts["train"] & (texts["dev"] | texts["test"])
    assert Counter(c.speaker for c in splits["train"]) == {"ann": 30, "bob": 30}
    words = Counter(word for c in splits["train"] for word in c.text.split())
    assert max(words.values()) < 1.5 * min(words.values())


def test_a_second_run_writes_the_same_bytes(tree: Path, tmp_path: Path) -> None:
    first, second = load(tree, tmp_path / "1"), load(tree, tmp_path / "2")
    for split, rows in first.items():
        for one, other in zip(rows, second[split], strict=True):
            assert (one.id, one.text) == (other.id, other.text)
            assert one.audio.read_bytes() == other.audio.read_bytes()


def test_broken_strings_are_faults(tree: Path, tmp_path: Path) -> None:
    (tree / "recordings" / "3_ann_0.wav").write_text("not audio")
    sf.write(tree / "recordings" / "4_ann_0.wav", np.zeros(100), 16_000)
    rows = [
        ("wrong", "one", "recordings/2_ann_0.wav"),
        ("gone", "one", "recordings/1_ann_99.wav"),
        ("broken", "three", "recordings/3_ann_0.wav"),
        ("rates", "four one", "recordings/4_ann_0.wav recordings/1_ann_0.wav"),
    ]
    (tree / "strings_dev.tsv").write_text("".join(f"{id_}\tann\t{text}\t{files}\n" for id_, text, files in rows))
    faults = [c.fault or "" for c in load(tree, tmp_path / "out")["dev"]]
    expected = ["its files say 'two'", "cannot decode", "cannot decode", "different rates"]
    assert all(part in fault for part, fault in zip(expected, faults, strict=True))


def test_malformed_string_lists_and_empty_trees_are_refused(tree: Path, tmp_path: Path) -> None:
    (tree / "strings_dev.tsv").write_text("id\tspeaker\ttext\tfiles\none two\n")
    with pytest.raises(CorpusError, match=r"strings_dev.tsv:2: expected id, speaker, text, files"):
        load(tree, tmp_path / "out")
    (tmp_path / "empty" / "recordings").mkdir(parents=True)
    with pytest.raises(CorpusError, match=r"looked for .* and found none"):
        load(tmp_path / "empty", tmp_path / "out")


def test_the_real_corpus(corpora_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fsdd, "PARTS", fsdd.PARTS | {"train": (range(10, 50), 50)})
    splits = load(corpora_dir / "free-spoken-digit-dataset", tmp_path)
    assert {split: len(rows) for split, rows in splits.items()} == {"train": 50, "dev": 100, "test": 300}
    assert not any(c.fault for rows in splits.values() for c in rows)
