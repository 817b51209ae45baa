"""Minimum word error rate training for real, on the language of tones, from a model half trained."""

from pathlib import Path

import pytest
from runs import TEXTS, hashes, train_killed, train_on_tones
from tones import write_corpus, write_recipe

from asr.audio.augment import Augmentation
from asr.ranks.group import Ranks
from asr.recipe.load import RecipeError, load_recipe
from asr.recipe.schema import Recipe
from asr.recognizer.train import assemble, train_recipe
from asr.scoring.errors import word_errors
from asr.training.checkpoint import CheckpointError

N_BEST = 4
PLAIN = Augmentation(reverb=None, noise=None, spec_augment=None)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("tones"), TEXTS)


@pytest.fixture(scope="module")
def base(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that makes errors: stopped early."""
    return train_on_tones(manifest, tmp_path_factory.mktemp("base"), 130, 130)


def min_wer_recipe(folder: Path, manifest: Path, base: Path, *overrides: str, **training: object) -> Recipe:
    path = write_recipe(folder / "r.yaml", manifest, init_from=base, **training)
    return load_recipe(path, [f"objective.min_wer={{n_best: {N_BEST}}}", *overrides])


ALL_IN_ONE = ("data.n_buckets=1", "data.batch_s=100.0", "augment.speeds=[1.0]")


def test_a_few_steps_on_errors_alone_lower_the_expected_errors(manifest: Path, base: Path, tmp_path: Path) -> None:
    plain = ("model.listener.dropout=0.0", "model.speller.dropout=0.0", "objective.min_wer.joint_weight=0.0")
    schedule = {"n_steps": 40, "warmup_steps": 1, "peak_lr": 1e-3}
    recipe = min_wer_recipe(tmp_path, manifest, base, *ALL_IN_ONE, *plain, **schedule)
    experiment = assemble(recipe, tmp_path / "run", Ranks())
    learner, batches = experiment.trainer.learner, experiment.steps[0]
    assert len(batches[0].ids) == len(TEXTS)
    steps = [learner.step(number, batches, PLAIN) for number in range(20)]
    n_errors = [step.parts["word_errors"] for step in steps]
    assert n_errors[0] > 1.0, "nothing to learn from"
    assert sum(n_errors[-4:]) / 4 < 0.8 * n_errors[0]


def test_the_list_is_what_search_finds_and_its_errors_are_those_of_its_words(
    manifest: Path, base: Path, tmp_path: Path
) -> None:
    experiment = assemble(min_wer_recipe(tmp_path, manifest, base, *ALL_IN_ONE), tmp_path / "run", Ranks())
    model, min_wer = experiment.trainer.model, experiment.trainer.learner.objective
    batch = experiment.steps[0][0]
    features, frame_lens = model.train().features(batch.samples, batch.sample_lens)
    found = min_wer.find(features, frame_lens, batch.tokens, batch.token_lens)
    assert model.training
    assert found.listed.sum(1).min() >= 2
    texts = {f"s-{number}": text for number, text in enumerate(TEXTS)}
    decode = experiment.tokens.vocabulary.decode
    for b, name in enumerate(batch.ids):
        rows = [tokens[:n].tolist() for tokens, n in zip(found.tokens[b], found.token_lens[b], strict=True)]
        listed = [tuple(row) for row, there in zip(rows, found.listed[b], strict=True) if there]
        assert len(set(listed)) == len(listed)
        errors = [word_errors(texts[name], decode(row)).n_errors for row in rows]
        assert found.n_errors[b].tolist() == errors


def test_a_killed_run_ends_with_the_bits_of_an_unbroken_one(manifest: Path, base: Path, tmp_path: Path) -> None:
    recipe = min_wer_recipe(tmp_path, manifest, base, "training.n_micro_batches=2", n_steps=6, checkpoint_every=2)
    train_recipe(recipe, tmp_path / "unbroken")
    train_killed(recipe, tmp_path / "killed", [3])
    assert hashes(tmp_path / "killed") == hashes(tmp_path / "unbroken")


@pytest.mark.parametrize("change", ["tokenizer={kind: bpe, vocab_size: 12}", "model.listener.n_layers=2"])
def test_a_model_that_is_only_partly_trained_is_refused(
    manifest: Path, base: Path, tmp_path: Path, change: str
) -> None:
    with pytest.raises(CheckpointError, match=r"needs a model trained as a whole(.|\n)*afresh"):
        assemble(min_wer_recipe(tmp_path, manifest, base, change), tmp_path / "run", Ranks())


def test_min_wer_without_a_trained_model_is_refused(manifest: Path, tmp_path: Path) -> None:
    path = write_recipe(tmp_path / "r.yaml", manifest)
    with pytest.raises(RecipeError, match=r"objective\.min_wer: needs training\.init_from"):
        load_recipe(path, ["objective.min_wer={}"])
