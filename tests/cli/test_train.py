from pathlib import Path

import pytest

from asr.cli.train import default_folder
from asr.recognizer import train as train_module

RECIPE = """
data: {train: [train.jsonl], dev: [dev.jsonl]}
tokenizer: {kind: char}
model: {listener: {kind: pyramid}, attention: {kind: additive}, speller: {kind: lstm}}
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "tiny" / "las.yaml"
    path.parent.mkdir()
    path.write_text(RECIPE)
    return path


@pytest.fixture
def runs(monkeypatch):
    made = []

    def fake(recipe, out, ranks, progress_bar):
        made.append((recipe, out))
        if recipe.training.seed == 13:
            raise KeyboardInterrupt
        return out / "best"

    monkeypatch.setattr(train_module, "train_recipe", fake)
    return made


def test_overrides_reach_the_recipe(asr, runs, recipe, tmp_path):
    outcome = asr("train", recipe, "training.seed=2", "data.dev=[a.jsonl, b.jsonl]", "--out", tmp_path / "exp")
    assert outcome.status == 0
    assert outcome.out == f"model: {tmp_path / 'exp' / 'best'}\n"
    ((made, out),) = runs
    assert (made.training.seed, made.data.dev) == (2, (Path("a.jsonl"), Path("b.jsonl")))
    assert out == tmp_path / "exp"


def test_init_from_is_a_key_of_the_recipe(asr, runs, recipe):
    assert asr("train", recipe, "--init-from", "exp/base: 1/best").status == 0
    assert runs[0][0].training.init_from == Path("exp/base: 1/best")
    twice = asr("train", recipe, "training.init_from=a", "--init-from", "b")
    assert twice.status == 2
    assert "already set by 'training.init_from=a'" in twice.err


def test_the_folder_is_named_after_the_recipe(asr, runs, recipe):
    assert asr("train", recipe).status == 0
    assert runs[0][1] == Path("exp/tiny-las")
    assert default_folder(Path("recipes/an4/las.yaml")) == Path("exp/an4-las")


def test_a_typo_is_status_2_and_nothing_runs(asr, runs, recipe):
    outcome = asr("train", recipe, "training.sed=2")
    assert outcome.status == 2
    assert "did you mean training.seed?" in outcome.err
    assert not runs


def test_interruption_is_status_130_with_advice(asr, runs, recipe):
    outcome = asr("train", recipe, "training.seed=13")
    assert outcome.status == 130
    assert "the same command goes on" in outcome.err


def test_a_missing_manifest_is_status_1_and_named(asr, recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = asr("train", recipe)
    assert outcome.status == 1
    assert "train.jsonl" in outcome.err
    assert "Traceback" not in outcome.err
