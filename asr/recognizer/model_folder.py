"""The folder that is a trained model: recipe, tokenizer or labels, and weights, and nothing else needed."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from asr.build import Model, build_model
from asr.recipe.load import load_recipe
from asr.recipe.schema import Recipe
from asr.text.labels import Labels
from asr.text.tokenizer import Tokenizer
from asr.training.candidates import MODEL_FILE
from asr.training.checkpoint import CheckpointError, verify_directory
from asr.training.tensors import load_tensors, stored_shapes

RECIPE_FILE = "recipe.yaml"
TOKENIZER_FILE = "tokenizer.model"
LABELS_FILE = "labels.json"


def vocabulary_file(recipe: Recipe) -> str:
    """The name of the file that holds the vocabulary of the recipe's task."""
    return LABELS_FILE if recipe.task.kind == "classify" else TOKENIZER_FILE


def load_model(folder: Path, overrides: Sequence[str] = ()) -> tuple[Recipe, Tokenizer | Labels, Model]:
    """Reads a model folder; nothing in it is ever run as code.

    Args:
        folder: `best` of an experiment.
        overrides: Changes to its recipe, each as section.key=value.

    Returns:
        Its recipe, its tokenizer or its labels, and the model on the CPU in evaluation mode.

    Raises:
        CheckpointError: The folder is missing, damaged, or its weights do not fit its recipe.
        RecipeError: The recipe in it is not one, or an override is not of its kind.
        LabelError: Its labels cannot be read.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such model folder; --model takes EXP/best of an experiment")
    verify_directory(folder)
    recipe = load_recipe(folder / RECIPE_FILE, overrides)
    vocabulary = load_vocabulary(folder, recipe)
    _check_shapes(folder, recipe, vocabulary.n_tokens)
    model = build_model(recipe, vocabulary.n_tokens)
    model.load_state_dict(load_tensors(folder / MODEL_FILE))
    return recipe, vocabulary, model.eval()


def _check_shapes(folder: Path, recipe: Recipe, n_tokens: int) -> None:
    """Makes sure that weights fit before there is memory for them: a recipe may ask for any size."""
    with torch.device("meta"), _NothingDrawn():
        wanted = {name: tuple(each.shape) for name, each in build_model(recipe, n_tokens).state_dict().items()}
    there = stored_shapes(folder / MODEL_FILE)
    for name in dict.fromkeys([*wanted, *there]):
        if wanted.get(name) != there.get(name):
            raise CheckpointError(
                f"{folder / MODEL_FILE}: does not fit {folder / RECIPE_FILE}: {name} has shape {there.get(name)}, "
                f"expected {wanted.get(name)}"
            )


class _NothingDrawn(TorchFunctionMode):
    """Gives weights no first values: where they have no memory, torch imports its compiler for it, a second's work."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", None) == "torch.nn.init":
            return None
        return func(*args, **(kwargs or {}))


def load_vocabulary(folder: Path, recipe: Recipe) -> Tokenizer | Labels:
    """Reads the file called `vocabulary_file(recipe)` in a folder.

    Raises:
        LabelError, CheckpointError: Labels, or a tokenizer, that cannot be read.
    """
    path = folder / vocabulary_file(recipe)
    return Labels.load(path) if path.name == LABELS_FILE else _load_tokenizer(path)


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a trained model that writes text.

    Raises:
        CheckpointError: The folder is no such model, or damaged.
    """
    if not (folder / TOKENIZER_FILE).is_file():
        raise CheckpointError(f"{folder}: no {TOKENIZER_FILE} there; expected EXP/best of a model that writes text")
    verify_directory(folder)
    return _load_tokenizer(folder / TOKENIZER_FILE)


def _load_tokenizer(path: Path) -> Tokenizer:
    try:
        return Tokenizer.load(path)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error


def first_difference(mine: Tokenizer | Labels, theirs: Tokenizer | Labels) -> tuple[int, str | None, str | None] | None:
    """The first token in which two vocabularies differ: its number, my piece and theirs; None where they agree."""
    pieces = (each.pieces(range(each.n_tokens)) for each in (mine, theirs))
    for number, (here, there) in enumerate(zip_longest(*pieces)):
        if here != there:
            return number, here, there
    return None
