"""The English model in the package: whole, small, told of in its card, and able to hear."""

from pathlib import Path

import asr
from asr.corpora.manifest import read_manifest, read_utterance
from asr.corpora.prepare import prepare
from asr.recognizer.default_model import HOME
from asr.recognizer.model_folder import load_model
from asr.scoring.errors import ErrorCounts, word_errors
from asr.training.checkpoint import verify_directory


def test_it_is_whole_and_small() -> None:
    for folder in (HOME / "model", HOME / "lm"):
        verify_directory(folder)
    assert sum(path.stat().st_size for path in HOME.rglob("*") if path.is_file()) < 30e6


def test_its_card_tells_what_it_was_trained_on_and_its_errors() -> None:
    card = (HOME / "README.md").read_text()
    n_weights = sum(weights.numel() for weights in load_model(HOME / "model")[2].parameters())
    assert f"{n_weights / 1e6:.1f} M parameters" in card
    for title in ("Trained on", "Word error rates", "What it is bad at"):
        assert f"## {title}" in card
    for name in ("test-mini", "test-other-mini", "an4-test", "fsdd-test"):
        assert f"| {name} |" in card


def test_it_hears_a_reader_whom_it_was_not_trained_on(corpora_dir: Path, tmp_path: Path) -> None:
    prepare("librispeech", corpora_dir / "LibriSpeech", tmp_path, only=["dev-mini"])
    recognizer = asr.Recognizer.load()
    heard = [
        (row.text, recognizer.transcribe(read_utterance(row)).text)
        for row in read_manifest(tmp_path / "dev-mini.jsonl")[:10]
    ]
    assert sum((word_errors(*pair) for pair in heard), ErrorCounts()).rate < 0.5
