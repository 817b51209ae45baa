from collections.abc import Callable
from pathlib import Path

import pytest

from asr.corpora.candidate import CorpusError, Splits
from asr.corpora.ljspeech import load_ljspeech
from asr.corpora.prepare import prepare


@pytest.fixture
def tree(tmp_path: Path, speak: Callable[..., Path]) -> Path:
    source = tmp_path / "anna"
    lines = []
    for number in range(40):
        speak(source / "wavs" / f"a{number:02d}.wav", 0.5, 22_050)
        lines.append(f'a{number:02d}|No. "{number // 2}"|Number "{number // 2}"')
    (source / "metadata.csv").write_text("\n".join(lines), encoding="utf-8-sig")
    return source


def load(source: Path) -> Splits:
    return load_ljspeech(source, source / "out", lambda done, total: None)


def test_texts_are_split_in_order_and_never_shared(tree: Path, tmp_path: Path) -> None:
    splits = load(tree)
    assert [c.id for c in splits["test"]] == ["a38", "a39"]
    assert [c.id for c in splits["dev"]] == ["a36", "a37"]
    assert len(splits["train"]) == 36
    assert (splits["test"][0].text, splits["test"][0].speaker) == ('Number "19"', "anna")
    assert [split.n_utterances for split in prepare("ljspeech", tree, tmp_path / "out").splits] == [36, 2, 2]


def test_two_columns_and_an_empty_third_are_understood(tree: Path) -> None:
    lines = (tree / "metadata.csv").read_text(encoding="utf-8-sig").splitlines()
    (tree / "metadata.csv").write_text("\n".join(["a00|Two columns", "a01|Empty third|", *lines[2:]]))
    assert [c.text for c in load(tree)["train"][:2]] == ["Two columns", "Empty third"]


def test_missing_audio_and_lines_are_faults(tree: Path, speak: Callable[..., Path]) -> None:
    (tree / "wavs" / "a03.wav").unlink()
    speak(tree / "wavs" / "extra.wav")
    faults = {c.id: c.fault for split in load(tree).values() for c in split if c.fault}
    assert set(faults) == {"a03", "extra"}
    assert "no audio file" in faults["a03"]
    assert "no line" in faults["extra"]


def test_malformed_lines_are_refused(tree: Path) -> None:
    (tree / "metadata.csv").write_text("a00\n")
    with pytest.raises(CorpusError, match=r"metadata.csv:1: expected `id\|text"):
        load(tree)
    (tree / "metadata.csv").write_text("a00|same\na01|same\n")
    with pytest.raises(CorpusError, match="too few"):
        load(tree)


@pytest.mark.parametrize(("folder", "n_lines"), [("LJSpeech-part", 483), ("kathleen_en", 1620)])
def test_the_real_corpora(corpora_dir: Path, folder: str, n_lines: int) -> None:
    splits = load(corpora_dir / folder)
    assert sum(map(len, splits.values())) == n_lines
    assert not any(c.fault for rows in splits.values() for c in rows)
    texts = [{c.text.lower() for c in rows} for rows in splits.values()]
    assert not texts[0] & texts[1]
    assert not texts[0] & texts[2]
    assert not texts[1] & texts[2]
