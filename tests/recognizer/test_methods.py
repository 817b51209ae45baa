"""Every way to decode, from a model's folder to its text; phrases from their file."""

import json
from pathlib import Path

import numpy as np
import pytest
from tones import write_corpus, write_recipe

from asr.corpora.manifest import read_manifest, read_utterance
from asr.recipe.load import load_recipe
from asr.recognizer.evaluate import evaluate
from asr.recognizer.recognizer import Recognizer
from asr.recognizer.train import train_recipe
from asr.text.phrases import PhraseError

METHODS = ("beam", "rescore", "greedy", "ctc")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has hardly begun to learn: `best` of its run, beside its manifest."""
    root = tmp_path_factory.mktemp("methods")
    manifest = write_corpus(root, ["abba cd", "dad", "bad cab"])
    recipe = load_recipe(write_recipe(root / "r.yaml", manifest, n_steps=2, validate_every=2, checkpoint_every=2))
    return train_recipe(recipe, root / "run")


@pytest.fixture
def recordings(folder: Path) -> list[np.ndarray]:
    return [read_utterance(utterance) for utterance in read_manifest(folder.parent.parent / "tones.jsonl")]


def test_each_method_decodes_and_batches_change_nothing(folder: Path, recordings: list[np.ndarray]) -> None:
    scored = {}
    for method in METHODS:
        recognizer = Recognizer.load(folder, device="cpu", search=[f"method={method}", "beam_size=4"])
        together = recognizer.search(*recognizer.listen(recordings))
        for found, samples in zip(together, recordings, strict=True):
            assert recognizer.search(*recognizer.listen([samples]))[0].tokens == found.tokens
        scored[method] = [set(found.scores) for found in together]
    assert scored["beam"] == scored["rescore"] == [{"attention", "ctc", "length"}] * 3
    assert scored["greedy"] == [{"attention", "length"}] * 3
    assert scored["ctc"] == [{"ctc", "length"}] * 3


@pytest.mark.parametrize("method", ["beam", "rescore"])
def test_phrases_come_from_their_file(folder: Path, recordings: list[np.ndarray], tmp_path: Path, method: str) -> None:
    path = tmp_path / "phrases.txt"
    changes = [f"method={method}", f"phrases={path}", "phrase_weight=20.0", "max_length_ratio=0.3"]
    path.write_text("Dad\nb\t3\n")
    recognizer = Recognizer.load(folder, device="cpu", search=changes)
    found = recognizer.search(*recognizer.listen(recordings))
    for hypothesis in found:
        words = recognizer.tokenizer.decode(hypothesis.tokens).split()
        assert hypothesis.scores["phrases"] == pytest.approx(3 * words.count("dad") + 3 * words.count("b"))
    if method == "beam":
        assert any(hypothesis.scores["phrases"] for hypothesis in found)
    path.write_text("\n")
    assert Recognizer.load(folder, device="cpu", search=changes).others == []
    path.write_text("dad\nzebra\n")
    with pytest.raises(PhraseError, match=r"phrases\.txt:2: phrase 'zebra': the model has no token for e r z"):
        Recognizer.load(folder, device="cpu", search=changes)


def test_results_say_how_was_searched(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("dad\n")
    changes = ["method=rescore", f"phrases={tmp_path / 'p.txt'}", "max_length_ratio=0.3"]
    evaluate(Recognizer.load(folder, device="cpu", search=changes), folder.parent.parent / "tones.jsonl", tmp_path)
    told = json.loads((tmp_path / "results.json").read_text())["about"]["search"]
    assert (told["method"], told["phrases"], told["phrase_weight"]) == ("rescore", str(tmp_path / "p.txt"), 0.5)
