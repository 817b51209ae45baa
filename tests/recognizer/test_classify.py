"""Classifying for real, on tones: the label stands under a key of the manifest; trained, scored, called, seen."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from runs import hashes, train_killed
from tones import write_corpus, write_recipe

import asr
from asr.corpora.manifest import ManifestError
from asr.ranks.group import Ranks
from asr.recipe.load import RecipeError, load_recipe
from asr.recognizer.evaluate_labels import evaluate_labels
from asr.recognizer.inspect import inspect
from asr.recognizer.report import report
from asr.recognizer.task_error import TaskError
from asr.recognizer.train import train_recipe
from asr.recognizer.trained import evaluate_trained, load_trained
from asr.text.labels import LabelError

TEXTS = ["a", "ab", "ba a", "aab", "c", "cd", "dc c", "ccd"]
LOW, HIGH = "low tones", "High tones"


def label_rows(path: Path, **changes: str) -> None:
    """Gives every row a `range`: whether its letters are a or b, or c or d."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [row | {"range": changes.get(row["text"], LOW if "a" in row["text"] else HIGH)} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_corpus(tmp_path_factory.mktemp("tones"), TEXTS)
    label_rows(path)
    return path


def classify_recipe(folder: Path, manifest: Path, **training: object) -> Path:
    """The recipe of `tones`, its parts that write text taken out."""
    path = write_recipe(folder / "r.yaml", manifest, **training)
    values = yaml.safe_load(path.read_text())
    del values["tokenizer"], values["model"]["attention"], values["model"]["speller"], values["search"]
    values["task"] = {"kind": "classify", "label": "range", "n_heads": 2, "d_attention": 8}
    values["objective"] = {"label_smoothing": 0.1}
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture(scope="module")
def trained(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    schedule = {"n_steps": 40, "warmup_steps": 5, "peak_lr": 1e-2, "validate_every": 20, "checkpoint_every": 20}
    return train_recipe(load_recipe(classify_recipe(folder, manifest, **schedule)), folder / "run")


def test_it_learns_and_is_scored_by_accuracy(trained: Path, manifest: Path, tmp_path: Path) -> None:
    found = evaluate_trained(load_trained(trained), manifest, tmp_path / "out", Ranks(), lambda done, total: None)
    assert found.report.startswith("accuracy 100.00 % [ 8 / 8 ], 95 % interval 67.56 %–100.00 %\n")
    assert (tmp_path / "out" / "labels.tsv").read_text().splitlines()[1].startswith("s-0\tlow tones\tlow tones\t0.")
    metrics = [json.loads(line) for line in (trained.parent / "metrics.jsonl").read_text().splitlines()]
    assert [row["error_rate"] for row in metrics if row["group"] == "average"] == [0.0]
    steps = [row for row in metrics if row["group"] == "train"]
    assert steps[-1]["loss"] < steps[0]["loss"] and "loss_attention" not in steps[0]
    page = report([trained.parent], tmp_path / "report.html").read_text()
    assert "error rate" in page and "asr classify --model" in page
    assert {path.name for path in trained.iterdir()} == {
        "recipe.yaml",
        "labels.json",
        "model.safetensors",
        "MANIFEST.json",
    }


def test_batches_change_no_judgement(trained: Path, manifest: Path) -> None:
    classifier = asr.Classifier.load(trained)
    scores = [evaluate_labels(classifier, manifest, batch_s=batch_s).score for batch_s in (0.1, 100.0)]
    for one, many in zip(*(score.judged for score in scores), strict=True):
        assert one.label == many.label and one.probability == pytest.approx(many.probability, abs=1e-5)


def test_one_file_a_moment_of_audio_and_a_picture(trained: Path, manifest: Path, tmp_path: Path) -> None:
    classifier = asr.Classifier.load(trained)
    found = classifier.classify(manifest.parent / "u5.wav")
    assert found.label == HIGH and found.probability == max(found.probabilities.values()) > 0.6
    assert sum(found.probabilities.values()) == pytest.approx(1.0)
    assert classifier.classify(np.zeros(5, np.float32)).label in (LOW, HIGH)
    inspect(classifier, manifest.parent / "u5.wav", tmp_path / "seen.png")
    assert (tmp_path / "seen.png").stat().st_size > 10_000
    inspect(classifier, manifest.parent / "u5.wav", tmp_path / "seen.npz")
    seen = np.load(tmp_path / "seen.npz")
    assert seen["attention"].shape[:2] == (2, 1) and seen["pieces"].tolist() == [HIGH]
    np.testing.assert_allclose(seen["attention"].sum(-1), 1.0, atol=1e-5)
    with pytest.raises(TaskError, match="writes no words"):
        inspect(classifier, manifest.parent / "u5.wav", tmp_path / "no.png", text="high")
    assert (trained.parent / "attention" / "step-00000040.png").stat().st_size > 10_000


def test_a_killed_run_ends_with_the_bits_of_an_unbroken_one(manifest: Path, tmp_path: Path) -> None:
    recipe = load_recipe(classify_recipe(tmp_path, manifest, n_steps=6, validate_every=3, checkpoint_every=2))
    train_recipe(recipe, tmp_path / "unbroken")
    train_killed(recipe, tmp_path / "killed", [3])
    assert hashes(tmp_path / "killed") == hashes(tmp_path / "unbroken")


def test_other_commands_say_what_to_use_instead(trained: Path) -> None:
    with pytest.raises(TaskError, match=r"trained to classify and writes no text; use `asr classify`"):
        asr.Recognizer.load(trained)
    with pytest.raises(RecipeError, match=r"search.beam_size: leave it out; task.kind = classify writes no text"):
        load_trained(trained, search=["beam_size=3"])


def test_a_label_that_training_lacks_stops_it_and_is_counted_wrong_in_a_test_set(
    trained: Path, manifest: Path, tmp_path: Path
) -> None:
    dev = write_corpus(tmp_path / "dev", ["ab", "cd"])
    label_rows(dev, cd="middling")
    recipe = load_recipe(classify_recipe(tmp_path, manifest), [f"data.dev=[{dev}]"])
    with pytest.raises(LabelError, match=r"dev has labels under 'range' that no training .*'middling' \(1 utter.*low"):
        train_recipe(recipe, tmp_path / "run")
    found = evaluate_labels(asr.Classifier.load(trained), dev)
    assert (found.score.n_correct, found.score.unknown) == (1, {"middling": 1})
    assert "1 utterances have labels that the model cannot tell: 'middling' (1)" in found.report


def test_a_wrong_key_is_named_with_manifest_and_line(manifest: Path, tmp_path: Path) -> None:
    recipe = load_recipe(classify_recipe(tmp_path, manifest), ["task.label=rang"])
    with pytest.raises(ManifestError, match=r"tones.jsonl:1: missing key 'rang'; this row has .*'range'"):
        train_recipe(recipe, tmp_path / "run")
