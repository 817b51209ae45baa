"""Packing: a trained model as small as it can be without writing other texts, to be given away."""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from asr.recipe.load import dump_recipe
from asr.recognizer.confidence import CALIBRATION_FILE
from asr.recognizer.model_folder import RECIPE_FILE, load_model, vocabulary_file
from asr.training.candidates import MODEL_FILE
from asr.training.checkpoint import CheckpointError, write_directory, writer
from asr.training.tensors import save_tensors


def pack_model(folder: Path, out: Path, search: Sequence[str] = ()) -> int:
    """Writes a model folder with the same model in half the space: its weights have 16 bits.

    A weight keeps 11 significant bits (IEEE 754 binary16), which is 0.05 % of it at worst. They are computed with in 32
    bits all the same: reading the folder widens them.

    Args:
        folder: `best` of an experiment.
        out: The folder to write; it must not be there, or be a model folder, which is replaced whole.
        search: Changes to the recipe's search section that stay, each as key=value.

    Returns:
        The bytes of all files in `out`.

    Raises:
        CheckpointError: The folder is no whole model, a weight is too large for 16 bits, or `out` holds something else.
        RecipeError: A change is not one to that section.
    """
    if out.exists() and not (out / MODEL_FILE).is_file():
        raise CheckpointError(f"{out}: is there already and no model folder; name another")
    recipe, _, model = load_model(folder, [f"search.{change}" for change in search])
    trained = {name for name, _ in model.named_parameters()}
    weights = {name: _halved(name, value) if name in trained else value for name, value in model.state_dict().items()}
    copied = [name for name in (vocabulary_file(recipe), CALIBRATION_FILE) if (folder / name).is_file()]
    out.parent.mkdir(parents=True, exist_ok=True)
    write_directory(
        out,
        {
            RECIPE_FILE: writer(dump_recipe(recipe).encode()),
            **{name: partial(shutil.copyfile, folder / name) for name in copied},
            MODEL_FILE: lambda path: save_tensors(path, weights),
        },
    )
    return sum(path.stat().st_size for path in out.iterdir())


def _halved(name: str, weights: Tensor) -> Tensor:
    half = weights.to(torch.float16)
    if not half.isfinite().all():
        raise CheckpointError(f"{name}: a weight of {weights.abs().max():g} does not fit in 16 bits")
    return half
