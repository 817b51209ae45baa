"""What several tests of training do: train on tones, kill a run, and compare what two runs leave."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from tones import write_recipe

from asr.recipe.load import load_recipe
from asr.recipe.schema import Recipe
from asr.recognizer.train import train_recipe
from asr.training.learner import Learner

TEXTS = ["abba cd", "dad", "bad cab", "c", "acdc", "bcd abc", "da da", "cabbd"]


def train_on_tones(manifest: Path, folder: Path, n_steps: int, validate_every: int) -> Path:
    """Trains a small model on a corpus of tones, and returns its `best`."""
    recipe = write_recipe(
        folder / "r.yaml",
        manifest,
        n_steps=n_steps,
        warmup_steps=20,
        peak_lr=1e-2,
        validate_every=validate_every,
        checkpoint_every=validate_every,
    )
    return train_recipe(load_recipe(recipe), folder / "run")


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
