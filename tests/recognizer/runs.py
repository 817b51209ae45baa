"""What several tests of training do: kill a run, and compare what two runs leave."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from asr.recipe.schema import Recipe
from asr.recognizer.train import train_recipe
from asr.training.learner import Learner


class Killed(BaseException):
    """Stands for kill -9: nothing of ours handles it."""


def train_killed(recipe: Recipe, out: Path, moments: Sequence[int]) -> None:
    """Trains, dies before the step of each moment in turn, and goes on to the end."""
    step = Learner.step
    for moment in moments:

        def dying(self: Learner, number: int, *given: object, moment: int = moment) -> object:
            if number >= moment:
                raise Killed
            return step(self, number, *given)

        with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Learner, "step", dying)
            train_recipe(recipe, out)
    train_recipe(recipe, out)


def hashes(folder: Path) -> dict[str, str]:
    """What training leaves that must be equal: the last checkpoint and the final model."""
    last = sorted((folder / "checkpoints").glob("step-*"))[-1]
    files = [*last.iterdir(), folder / "best" / "model.safetensors"]
    return {f"{path.parent.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
