"""Models that have the shapes of weights and not the weights: as large as you like, at once."""

from typing import Any
from unittest.mock import patch

import torch

from asr import build
from asr.audio.logmel import LogMel
from asr.models.asr_model import AsrModel
from asr.recipe.schema import Recipe


def build_weightless(recipe: Recipe, n_tokens: int) -> AsrModel:
    """What `build_model` gives, on the meta device; but for the front end, whose filters are computed from numbers."""

    def front_end(**arguments: Any) -> LogMel:
        with torch.device("cpu"):
            return LogMel(**arguments)

    with patch.object(build, "LogMel", front_end), torch.device("meta"):
        return build.build_model(recipe, n_tokens)
