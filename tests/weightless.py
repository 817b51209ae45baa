"""Models that have the shapes of weights and not the weights: as large as you like, at once."""

import torch

from asr.build import build_model
from asr.models.asr_model import AsrModel
from asr.recipe.schema import Recipe


def build_weightless(recipe: Recipe, n_tokens: int) -> AsrModel:
    """What `build_model` gives, on the meta device."""
    with torch.device("meta"):
        return build_model(recipe, n_tokens)
