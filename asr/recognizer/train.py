"""From a recipe to a trained model in a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asr.build import (
    build_model,
    build_plan,
    build_spec_augment,
    build_tokenizer,
    build_trainer_settings,
    pick_device,
)
from asr.corpora.manifest import Utterance, read_manifest
from asr.dataset.batches import Batch, collate
from asr.dataset.steps import TrainingSteps, training_loader
from asr.dataset.plan import BatchPlan
from asr.recipe.load import RecipeError, dump_recipe
from asr.recipe.schema import Recipe
from asr.recognizer.model_folder import RECIPE_FILE, TOKENIZER_FILE
from asr.recognizer.validate import Validator
from asr.text.tokenizer import Tokenizer
from asr.training.trainer import Trainer


@dataclass(frozen=True)
class Experiment:
    """What a recipe and a folder amount to: data in order, and a trainer that stands where the folder's run stands."""

    train: list[Utterance]
    tokenizer: Tokenizer
    plan: BatchPlan
    trainer: Trainer

    def heaviest(self) -> list[Batch]:
        """The batches with the most seconds and with the most tokens that a run may meet."""
        seconds = [utterance.duration_s for utterance in self.train]
        tokens = [float(len(self.tokenizer.encode(utterance.text))) for utterance in self.train]
        return [collate(self.train, self.plan.heaviest(weights), self.tokenizer) for weights in (seconds, tokens)]


def train_recipe(recipe: Recipe, out: Path) -> Path:
    """Starts or resumes an experiment.

    Args:
        recipe: What to train.
        out: The experiment's folder; one that exists must have been started from the same recipe.

    Returns:
        The trained model's folder, `out/best`, self-contained.

    Raises:
        RecipeError: `out` was started from another recipe.
        ManifestError, DataError, TrainingError, CheckpointError: See there.
        KeyboardInterrupt: Stopped by SIGINT or SIGTERM after saving.
    """
    _claim(out, dump_recipe(recipe).encode())
    experiment = assemble(recipe, out)
    trainer = experiment.trainer
    if not trainer.finished:
        trainer.try_out(experiment.heaviest())
    steps = TrainingSteps(experiment.train, experiment.plan, experiment.tokenizer)
    trainer.run(lambda start, end: training_loader(steps, start, end, recipe.data.n_workers))
    return out / "best"


def assemble(recipe: Recipe, out: Path) -> Experiment:
    """Reads the data and builds everything that training needs; writes nothing.

    Raises:
        ManifestError, DataError, CheckpointError, DeviceError: See there.
    """
    train, dev = _utterances(recipe.data.train), _utterances(recipe.data.dev)
    tokenizer = build_tokenizer(recipe, train)
    plan = build_plan(recipe, train)
    model = build_model(recipe, tokenizer.n_tokens).to(pick_device(recipe.training.device))
    trainer = Trainer(
        model,
        build_spec_augment(recipe),
        build_trainer_settings(recipe, tokenizer),
        out,
        {RECIPE_FILE: dump_recipe(recipe).encode(), TOKENIZER_FILE: tokenizer.model},
        Validator(model, tokenizer, dev, recipe.search.batch_s, out / "attention"),
    )
    return Experiment(train, tokenizer, plan, trainer)


def _utterances(manifests: Sequence[Path]) -> list[Utterance]:
    return [utterance for path in manifests for utterance in read_manifest(path)]


def _claim(out: Path, recipe: bytes) -> None:
    """Makes the folder this recipe's own, or checks that it is."""
    kept = out / RECIPE_FILE
    if kept.exists() and kept.read_bytes() != recipe:
        raise RecipeError(
            f"{out}: was started from another recipe (see {kept}); give --out another folder, or the recipe and "
            "overrides it was started with"
        )
    out.mkdir(parents=True, exist_ok=True)
    draft = out / f".{RECIPE_FILE}.tmp"
    draft.write_bytes(recipe)
    draft.replace(kept)
