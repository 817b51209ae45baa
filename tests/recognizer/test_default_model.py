"""The model that is taken where none is named: wiring, with tiny models put in its place."""

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from runs import TEXTS, train_on_tones
from tones import write_corpus

import asr
from asr.corpora.manifest import read_manifest
from asr.recipe.load import load_recipe
from asr.recognizer import default_model
from asr.recognizer.default_model import DefaultModelError, choose_model, default_model_folder
from asr.recognizer.pack import pack_model
from asr.recognizer.trained import load_trained
from asr.training.checkpoint import CheckpointError, verify_directory
from asr.training.tensors import load_tensors, save_tensors

REPOSITORY = Path(default_model.__file__).parents[2]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("tones"), TEXTS)


@pytest.fixture(scope="module")
def trained(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_on_tones(manifest, tmp_path_factory.mktemp("trained"), 160, 80)


@pytest.fixture
def home(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(trained, tmp_path / "english" / "model")
    monkeypatch.setattr(default_model, "HOME", tmp_path / "english")
    return tmp_path / "english"


def test_its_place_is_in_the_package_and_in_the_wheel() -> None:
    assert REPOSITORY / "asr" / "english" == default_model.HOME
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert "english/**" in settings["tool"]["setuptools"]["package-data"]["asr"]


def test_without_a_name_it_is_loaded(home: Path, trained: Path, manifest: Path) -> None:
    audio = manifest.parent / "u2.wav"
    named = asr.Recognizer.load(trained).transcribe(audio).text
    assert named
    assert asr.Recognizer.load().transcribe(audio).text == named
    assert load_trained(None).recipe == load_recipe(trained / "recipe.yaml")
    assert asr.Recognizer.load(search=["beam_size=2"]).settings.beam_size == 2


def test_its_own_language_model_joins_unless_another_is_asked_for(home: Path) -> None:
    assert choose_model(None, ["beam_size=2"]) == (home / "model", ["beam_size=2"])
    (home / "lm").mkdir()
    folder, search = choose_model(None, ["lm_weight=0.2"])
    recipe = load_recipe(folder / "recipe.yaml", [f"search.{change}" for change in search])
    assert (recipe.search.lm, recipe.search.lm_weight) == (home / "lm", 0.2)
    assert choose_model(None, [" lm = null"]) == (home / "model", [" lm = null"])
    assert choose_model(home / "model", ()) == (home / "model", [])  # who names a model gets that alone


def test_where_none_came_with_the_package_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(default_model, "HOME", tmp_path / "english")
    for load in (default_model_folder, asr.Recognizer.load, lambda: load_trained(None)):
        with pytest.raises(DefaultModelError, match="name one with --model EXP/best, or train one: scripts/quickstart"):
            load()


def test_packed_it_is_half_as_large_and_writes_the_same(trained: Path, manifest: Path, tmp_path: Path) -> None:
    n_bytes = pack_model(trained, tmp_path / "packed", ["beam_size=3"])
    verify_directory(tmp_path / "packed")
    assert n_bytes == sum(path.stat().st_size for path in (tmp_path / "packed").iterdir())
    whole, half = (load_tensors(folder / "model.safetensors") for folder in (trained, tmp_path / "packed"))
    for name, value in whole.items():
        np.testing.assert_allclose(half[name].float(), value, rtol=2**-11, atol=2**-25)
    assert sum(value.nbytes for value in half.values()) < 0.6 * sum(value.nbytes for value in whole.values())
    recognizers = asr.Recognizer.load(trained, search=["beam_size=3"]), asr.Recognizer.load(tmp_path / "packed")
    assert recognizers[1].settings == recognizers[0].settings
    assert {weights.dtype for weights in recognizers[1].model.parameters()} == {next(iter(whole.values())).dtype}
    for row in read_manifest(manifest):
        one, other = (recognizer.transcribe(row.audio).segments[0] for recognizer in recognizers)
        assert one.text == other.text == row.text
        assert [word.start_s for word in one.words] == [word.start_s for word in other.words]
        assert other.score == pytest.approx(one.score, abs=0.05)


def test_packing_replaces_model_folders_alone(trained: Path, tmp_path: Path) -> None:
    pack_model(trained, tmp_path / "packed")
    assert pack_model(tmp_path / "packed", tmp_path / "again") == pack_model(trained, tmp_path / "packed")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(CheckpointError, match="no model folder; name another"):
        pack_model(trained, tmp_path / "mine")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_a_weight_too_large_for_16_bits_is_named(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained, tmp_path / "large")
    weights = load_tensors(trained / "model.safetensors")
    name = next(name for name in weights if name.startswith("speller"))
    save_tensors(tmp_path / "large" / "model.safetensors", {**weights, name: weights[name] + 1e5})
    monkeypatch.setattr("asr.recognizer.model_folder.verify_directory", lambda folder: None)
    with pytest.raises(CheckpointError, match=rf"{name}: a weight of 1000\d\d.* does not fit in 16 bits"):
        pack_model(tmp_path / "large", tmp_path / "packed")
    assert not (tmp_path / "packed").exists()
