"""From a recipe to a trained model in a folder."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from asr.build import (
    Model,
    build_augmentation_at,
    build_learner_settings,
    build_model,
    build_n_best_settings,
    build_noises_at,
    build_objective,
    build_plan,
    build_trainer_settings,
    pick_device,
)
from asr.corpora.index import ProgressBar, no_bar
from asr.corpora.manifest import Utterance, read_manifest
from asr.corpora.sentences import Sentences
from asr.corpora.utterances import Utterances
from asr.dataset.batches import Batch
from asr.dataset.plan import StagedPlan
from asr.dataset.steps import TrainingSteps, training_loader
from asr.models.asr_model import AsrModel
from asr.models.classify_model import ClassifyModel
from asr.models.language_models.language_model import LanguageModel
from asr.ranks.group import Ranks
from asr.recipe.load import RecipeError, dump_recipe
from asr.recipe.schema import Recipe
from asr.recognizer.classifier import Classifier
from asr.recognizer.model_folder import RECIPE_FILE, vocabulary_file
from asr.recognizer.n_best import NBestSearch
from asr.recognizer.perplexity import TextModel, TextValidator
from asr.recognizer.tokens import Tokens, tokens_of
from asr.recognizer.validate import Validator
from asr.recognizer.validate_labels import LabelValidator
from asr.recognizer.warm_start import start_from
from asr.text.labels import Labels
from asr.text.tokenizer import Tokenizer
from asr.training.checkpoint import CheckpointError
from asr.training.floor import Floor, forward_flop, matmul_rate
from asr.training.memory import keep_memory
from asr.training.objectives import MinWerObjective, Objective, SpellingObjective
from asr.training.trainer import Trainer, TrainingError, Validation


@dataclass(frozen=True)
class Experiment:
    """What a recipe and a folder amount to: data in order, and a trainer that stands where the folder's run stands."""

    recipe: Recipe
    train: Utterances | Sentences
    tokens: Tokens
    plan: StagedPlan
    steps: TrainingSteps
    trainer: Trainer
    ranks: Ranks

    def heaviest(self) -> list[Batch]:
        """This rank's share of the batches with the most seconds and with the most tokens that a run may meet."""
        planned = [self.plan.heaviest(weights) for weights in (self.train.seconds, self.tokens.counts)]
        return [batch for each in planned for batch in self.steps.share(each, self.trainer.step)[:1]]

    def loader(self, start: int, end: int) -> Iterable[list[Batch]]:
        """This rank's micro-batches of steps start..end-1."""
        return training_loader(self.steps, start, end, self.recipe.data.n_workers)

    def floor(self, batch: Batch) -> Floor:
        """What all ranks together could do at best."""
        trainer = self.trainer
        rate = torch.tensor(matmul_rate(trainer.learner.device, self.recipe.training.precision), dtype=torch.float64)
        flop = forward_flop(trainer.model, trainer.learner.objective, batch)
        return Floor(flop, float(self.ranks.sum(rate)), "audio_s" if batch.samples.shape[1] else "tokens")


def train_recipe(recipe: Recipe, out: Path, ranks: Ranks | None = None, progress_bar: ProgressBar = no_bar) -> Path:
    """Starts or resumes an experiment.

    Args:
        recipe: What to train.
        out: The experiment's folder; one that exists must have been started from the same recipe.
        ranks: The processes that train together; None for this one alone.
        progress_bar: Shows what a first start makes of a large corpus.

    Returns:
        The trained model's folder, `out/best`, self-contained.

    Raises:
        RecipeError: `out` was started from another recipe.
        ManifestError, TextError, DataError, TrainingError, CheckpointError: See there.
        KeyboardInterrupt: Stopped by SIGINT or SIGTERM after saving.
    """
    ranks = ranks or Ranks()
    if ranks.is_first:
        _claim(out, dump_recipe(recipe).encode())
    experiment = assemble(recipe, out, ranks, progress_bar if ranks.is_first else no_bar, keep=True)
    trainer = experiment.trainer
    heaviest = experiment.heaviest()
    if not trainer.finished:
        trainer.try_out(heaviest)
    trainer.run(experiment.loader, experiment.floor(heaviest[0]))
    return out / "best"


def assemble(
    recipe: Recipe, out: Path, ranks: Ranks, progress_bar: ProgressBar = no_bar, *, keep: bool = False
) -> Experiment:
    """Reads the data and builds everything that training needs.

    Args:
        recipe: What to train.
        out: The experiment's folder.
        ranks: The processes that train together.
        progress_bar: Shows what a first start makes of a large corpus.
        keep: Whether to keep vocabulary and counts of tokens in `out` for the next start; else nothing is written.

    Raises:
        ManifestError, DataError, TrainingError, CheckpointError, DeviceError: See there.
    """
    keep_memory()
    train = ranks.first_alone(lambda: _training_set(recipe, progress_bar))
    if len(set(ranks.gather(train.fingerprint))) > 1:
        raise TrainingError("the processes read different files under data.train; copy them to all machines again")
    tokens = ranks.first_alone(lambda: tokens_of(out / "vocabulary", recipe, train, progress_bar, keep=keep))
    vocabulary, dev = tokens.vocabulary, _dev_set(recipe)
    plan = build_plan(recipe, train, tokens.counts)
    model = build_model(recipe, vocabulary.n_tokens).to(pick_device(recipe.training.device))
    trainer = Trainer(
        model,
        _objective(recipe, model, vocabulary),
        build_augmentation_at(recipe),
        build_learner_settings(recipe),
        build_trainer_settings(recipe),
        out,
        {RECIPE_FILE: dump_recipe(recipe).encode(), vocabulary_file(recipe): vocabulary.model},
        _validator(recipe, model, vocabulary, dev, out / "attention", ranks),
        train.fingerprint,
        ranks,
        lambda: [*_begin(recipe, model, vocabulary), *_unwritable(train, vocabulary)],
    )
    n_micro, noises_at = recipe.training.n_micro_batches, build_noises_at(recipe)
    steps = TrainingSteps(train, plan, vocabulary, ranks.rank, ranks.n_ranks, n_micro, noises_at)
    return Experiment(recipe, train, tokens, plan, steps, trainer, ranks)


def _begin(recipe: Recipe, model: Model, vocabulary: Tokenizer | Labels) -> tuple[str, ...]:
    """Gives a fresh model the weights that the recipe says to start from; what to tell of it."""
    if recipe.training.init_from is None:
        return ()
    start = start_from(recipe.training.init_from, recipe, model, vocabulary)
    if recipe.objective.min_wer and not start.is_whole:
        raise CheckpointError(
            "objective.min_wer: needs a model trained as a whole, with the same model section and the same tokens; "
            "train without min_wer first\n" + "\n".join(start.lines)
        )
    return start.lines


def _unwritable(train: Utterances | Sentences, vocabulary: Tokenizer | Labels) -> list[str]:
    """A warning of letters that a tokenizer that was trained elsewhere cannot write."""
    lost = sorted(set(train.alphabet) - vocabulary.alphabet) if isinstance(vocabulary, Tokenizer) else []
    return [f"the tokenizer cannot write {' '.join(lost)}: where data.train has them, it learns <unk>"] if lost else []


def _training_set(recipe: Recipe, progress_bar: ProgressBar) -> Utterances | Sentences:
    if recipe.task.kind == "language_model":
        return Sentences(recipe.data.train, recipe.data.language)
    return Utterances(recipe.data.train, recipe.task.target, progress_bar)


def _dev_set(recipe: Recipe) -> Sequence[Utterance]:
    if recipe.task.kind == "language_model":
        return Sentences(recipe.data.dev, recipe.data.language)
    return [row for path in recipe.data.dev for row in read_manifest(path, recipe.task.target)]


def _validator(
    recipe: Recipe,
    model: Model,
    vocabulary: Tokenizer | Labels,
    dev: Sequence[Utterance],
    pictures: Path,
    ranks: Ranks,
) -> Callable[[int], Validation]:
    """What tells how good the model of a task is."""
    if isinstance(model, ClassifyModel):
        assert isinstance(vocabulary, Labels)
        return LabelValidator(Classifier(model, vocabulary, recipe), dev, pictures, ranks)
    assert isinstance(vocabulary, Tokenizer)
    if isinstance(model, LanguageModel):
        return TextValidator(TextModel(model, vocabulary, recipe), dev, ranks)
    translates, n_steps = recipe.task.kind == "translate", recipe.training.n_steps
    return Validator(model, vocabulary, dev, recipe.search.batch_s, n_steps, translates, pictures, ranks)


def _objective(recipe: Recipe, model: Model, vocabulary: Tokenizer | Labels) -> Objective:
    """What training minimises; to minimise the errors of search takes a search."""
    likelihood, min_wer = build_objective(recipe), recipe.objective.min_wer
    if min_wer is None:
        return likelihood
    assert isinstance(model, AsrModel) and isinstance(vocabulary, Tokenizer)  # the recipe's check
    assert isinstance(likelihood, SpellingObjective)
    search = NBestSearch(model, vocabulary, build_n_best_settings(recipe, min_wer.n_best))
    return MinWerObjective(likelihood, search, min_wer.joint_weight)


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
