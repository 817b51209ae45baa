"""A run that starts from a trained model takes what fits, row by row, tells what did not, and resumes bit for bit."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from runs import hashes, train_killed
from tones import write_corpus, write_recipe
from torch import Tensor
from weightless import build_weightless

from asr.build import build_model
from asr.ranks.group import Ranks
from asr.recipe.kinds import all_kinds
from asr.recipe.load import RecipeError, load_recipe
from asr.recipe.schema import Recipe
from asr.recognizer.dry_run import dry_run
from asr.recognizer.model_folder import load_model
from asr.recognizer.train import Experiment, assemble, train_recipe
from asr.recognizer.warm_start import TOKEN_LAYERS
from asr.training.checkpoint import CheckpointError

TEXTS = ["abba cd", "dad", "bad cab", "c", "acdc"]
TOKEN_WEIGHTS = {"ctc_head.weight", "ctc_head.bias", "speller.embedding.weight"} | {
    f"speller.to_logits.{name}" for name in ("weight", "bias")
}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("tones"), TEXTS)


@pytest.fixture(scope="module")
def other_letters(manifest: Path) -> Path:
    """The same recordings, where `c` is written as `x` and `d` as `ä`: tokens change their numbers."""
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    rows = [row | {"text": row["text"].replace("c", "x").replace("d", "ä")} for row in rows]
    path = manifest.with_name("other.jsonl")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def base(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    schedule = {"n_steps": 2, "validate_every": 2, "checkpoint_every": 2}
    return train_recipe(load_recipe(write_recipe(folder / "r.yaml", manifest, **schedule)), folder / "run")


Begin = Callable[..., tuple[Recipe, Experiment]]


@pytest.fixture
def begin(manifest: Path, base: Path, tmp_path: Path) -> Begin:
    """Builds a run that starts from the base: `begin(*changes, on=manifest, **training)`."""

    def start(*changes: str, on: Path = manifest, **training: object) -> tuple[Recipe, Experiment]:
        path = write_recipe(tmp_path / "r.yaml", on, **{"init_from": base, "seed": 7} | training)
        recipe = load_recipe(path, changes)
        return recipe, assemble(recipe, tmp_path / "run", Ranks())

    return start


def fresh(recipe: Recipe, n_tokens: int) -> dict[str, Tensor]:
    return build_model(recipe, n_tokens).state_dict()


def agree(one: dict[str, Tensor], other: dict[str, Tensor], names: set[str]) -> bool:
    assert names
    return all(torch.equal(one[name], other[name]) for name in names)


def test_of_the_same_kind_all_weights_are_taken(begin: Begin, base: Path) -> None:
    _, experiment = begin(ema_decay=0.9)
    learner, (_, _, trained) = experiment.trainer.learner, load_model(base)
    assert agree(learner.model.state_dict(), trained.state_dict(), set(trained.state_dict()))
    with learner.averaged():
        assert all(map(torch.equal, learner.model.parameters(), trained.parameters()))
    assert "afresh" not in "".join(experiment.trainer.opening)


@pytest.mark.parametrize(
    "tokenizer", ["{kind: char}", "{kind: bpe, vocab_size: 12}", "{kind: unigram, vocab_size: 12}"]
)
def test_rows_go_by_their_tokens(begin: Begin, base: Path, other_letters: Path, tokenizer: str) -> None:
    recipe, experiment = begin(f"tokenizer={tokenizer}", on=other_letters)
    _, theirs, trained = load_model(base)
    mine, n_mine = experiment.tokens.vocabulary, experiment.tokens.vocabulary.n_tokens
    here, there, drawn = experiment.trainer.model.state_dict(), trained.state_dict(), fresh(recipe, n_mine)
    numbers = {piece: number for number, piece in enumerate(theirs.pieces(range(theirs.n_tokens)))}
    pieces = mine.pieces(range(n_mine))
    assert {"a", "b", "▁", "<unk>", "</s>"} <= numbers.keys() & set(pieces)
    assert {"x", "ä"} <= set(pieces) - numbers.keys()
    for name in TOKEN_WEIGHTS:
        for number, piece in enumerate(pieces):
            expected = there[name][numbers[piece]] if piece in numbers else drawn[name][number]
            assert torch.equal(here[name][number], expected), (name, piece)
    assert agree(here, there, set(here) - TOKEN_WEIGHTS)


def test_the_start_tells_what_was_taken(begin: Begin, base: Path, other_letters: Path) -> None:
    _, experiment = begin("model.attention={kind: additive, d_attention: 32}", on=other_letters)
    head, *lines = experiment.trainer.opening
    assert re.fullmatch(rf"starting from {base}: 0\.\d\d of 0\.\d\d M weights copied", head)
    assert lines == [
        "  copied: listener, speller.cells, speller.to_readout",
        "  copied, rows of 7 of 9 tokens: ctc_head, speller.embedding, speller.to_logits",
        "  afresh, rows of the other tokens: x ä",
        "  afresh, of another kind (location there, additive here): speller.attention",
    ]


@pytest.mark.parametrize(
    ("changes", "afresh", "told"),
    [
        (
            ["model.speller={kind: transformer, d_model: 16, n_heads: 2, d_feed_forward: 32}", "model.attention=null"],
            "speller.",
            "of another kind (lstm there, transformer here): speller",
        ),
        (["model.speller.n_layers=2"], "speller.cells.1", "not there: speller.cells.1"),
        (["model.attention.n_filters=5"], "speller.attention", "of another shape: speller.attention."),
    ],
)
def test_what_differs_begins_afresh(begin: Begin, base: Path, changes: list[str], afresh: str, told: str) -> None:
    recipe, experiment = begin(*changes)
    _, theirs, trained = load_model(base)
    here, there, drawn = experiment.trainer.model.state_dict(), trained.state_dict(), fresh(recipe, theirs.n_tokens)
    differ = {name for name in here if name not in there or not torch.equal(here[name], there[name])}
    assert all(name.startswith(afresh) for name in differ)
    assert agree(here, drawn, differ)
    assert f"  afresh, {told}" in "\n".join(experiment.trainer.opening)


def test_fewer_layers_leave_the_others_out(begin: Begin, base: Path) -> None:
    _, experiment = begin("objective.ctc_weight=0", "search.ctc_weight=0")
    assert experiment.trainer.opening[-1] == "  left out, not here: ctc_head"


def test_a_classifier_listens_as_a_recogniser_did(begin: Begin, base: Path) -> None:
    changes = ["task={kind: classify, label: text}", "tokenizer=null", "model.attention=null", "model.speller=null"]
    _, experiment = begin(*changes, "objective={}", "search={}")
    here, (_, _, trained) = experiment.trainer.model.state_dict(), load_model(base)
    assert agree(here, trained.state_dict(), {name for name in here if name.startswith("listener.")})
    assert "  afresh, not there: pooling, to_logits" in experiment.trainer.opening


def test_the_tokenizer_can_be_kept_and_what_it_lacks_is_told(begin: Begin, base: Path, other_letters: Path) -> None:
    _, experiment = begin(f"tokenizer={{kind: trained, folder: {base}}}", on=other_letters)
    here, (_, theirs, trained) = experiment.trainer.model.state_dict(), load_model(base)
    assert experiment.tokens.vocabulary.model == theirs.model
    assert agree(here, trained.state_dict(), set(here))
    assert experiment.trainer.opening[-1].startswith("the tokenizer cannot write x ä:")


def test_a_killed_run_ends_with_the_bits_of_an_unbroken_one(
    base: Path, other_letters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model"
    shutil.copytree(base, model)
    schedule = {"n_steps": 6, "checkpoint_every": 2, "ema_decay": 0.9}
    recipe = load_recipe(write_recipe(tmp_path / "r.yaml", other_letters, init_from=model, **schedule))
    train_recipe(recipe, tmp_path / "unbroken")
    train_killed(recipe, tmp_path / "killed", [1, 3])  # before there is a checkpoint, and after
    assert hashes(tmp_path / "killed") == hashes(tmp_path / "unbroken")
    shutil.rmtree(model)  # is asked at step 0 alone
    train_recipe(recipe, tmp_path / "unbroken")
    log = (tmp_path / "killed" / "train.log").read_text()
    assert log.count("starting from") == 1
    assert "resuming at step 2 of 6" in log
    assert "  afresh, rows of the other tokens: x ä" in log


def test_a_dry_run_tells_it_too(base: Path, other_letters: Path, tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path / "r.yaml", other_letters, init_from=base))
    assert dry_run(recipe, tmp_path / "run").report.startswith(f"starting from {base}: ")


def test_a_model_of_which_nothing_fits_is_refused(begin: Begin) -> None:
    changes = [
        "model.listener={kind: pyramid, d_hidden: 8}",
        "model.speller.d_hidden=16",
        "model.attention.d_attention=8",
    ]
    with pytest.raises(CheckpointError, match=r"none of its weights fits; take the model section") as error:
        begin(*changes, "model.attention.n_filters=5", "model.attention.filter_width=7", "model.speller.d_embedding=8")
    assert "afresh, of another kind (conv_blstm there, pyramid here): listener" in str(error.value)


def test_other_features_are_refused_by_their_keys(begin: Begin, base: Path) -> None:
    with pytest.raises(RecipeError) as error:
        begin("features.n_mels=41", "features.hop_s=0.0125")
    first, second = str(error.value).splitlines()
    assert first.startswith(
        f"features.n_mels = 41: training.init_from = {base} heard n_mels = 40; give features.n_mels=40"
    )
    assert second.startswith("features.hop_s = 0.0125: ")


def test_a_folder_that_is_no_model_is_refused(begin: Begin) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere: no such model folder"):
        begin("training.init_from=nowhere")


@pytest.mark.parametrize("task", ["transcribe", "language_model"])
def test_layers_with_a_row_for_each_token_are_known_by_their_names(task: str) -> None:
    """For every kind of speller: what grows with the vocabulary, and nothing else."""
    values = {"data": {"train": ("-",), "dev": ("-",)}, "tokenizer": {"kind": "char"}, "task": {"kind": task}}
    models = [kind.model for kind in all_kinds() if kind.part == "speller"]
    if task == "language_model":
        models = [{"speller": model["speller"]} for model in models if model["speller"]["kind"] != "parallel_lstm"]
        values["data"] = {**values["data"], "batch_tokens": 100}
    for model in models:
        recipe = Recipe.model_validate({**values, "model": model})
        small, large = (build_weightless(recipe, n).state_dict() for n in (30, 31))
        grown = {name for name in small if small[name].shape != large[name].shape}
        assert grown == {name for name in small if name.split(".")[-2] in TOKEN_LAYERS}
        assert len(grown) >= 3
