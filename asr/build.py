"""From a recipe to objects: the only room that knows both. Field names are constructor arguments."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from asr.audio.augment import Augmentation, SpecAugment
from asr.audio.logmel import LogMel
from asr.audio.noise import AddNoise, NoiseFolder
from asr.audio.reverb import Reverb
from asr.corpora.sentences import Sentences
from asr.corpora.utterances import Utterances
from asr.dataset.draws import draw_key
from asr.dataset.plan import BatchPlan, DataError, StagedPlan
from asr.models.asr_model import AsrModel
from asr.models.attention.additive import AdditiveAttention, CoverageAttention, LocationAttention
from asr.models.attention.dot import DotAttention, ScaledDotAttention
from asr.models.attention.gmm import GmmAttention
from asr.models.attention.graph import GraphSelfAttention
from asr.models.attention.image import ImageAttention, SqueezeExcitation, TwoDimensionalAttention
from asr.models.attention.monotonic import MochaAttention, MonotonicAttention
from asr.models.attention.pyramid import PyramidSelfAttention
from asr.models.attention.relative import RelativeSelfAttention
from asr.models.attention.self_attention import SelfAttention
from asr.models.attention.windowed import WindowedSelfAttention
from asr.models.attentive_pooling import AttentivePooling
from asr.models.classify_model import ClassifyModel
from asr.models.language_models.language_model import LanguageModel
from asr.models.language_models.lstm import LstmLanguageModel
from asr.models.language_models.transformer import TransformerLanguageModel
from asr.models.listeners.conformer import ConformerListener
from asr.models.listeners.conv_blstm import ConvBlstmListener
from asr.models.listeners.e_branchformer import EBranchformerListener
from asr.models.listeners.interface import Listener
from asr.models.listeners.pyramid import PyramidListener
from asr.models.listeners.vgg_blstm import VggBlstmListener
from asr.models.spellers.interface import Speller
from asr.models.spellers.lstm import LstmSpeller
from asr.models.spellers.parallel_lstm import ParallelLstmSpeller
from asr.models.spellers.transformer import TransformerSpeller
from asr.ranks.group import local_rank
from asr.recipe.model_section import ModelSection
from asr.recipe.schema import AugmentSection, Recipe
from asr.recipe.section import Section
from asr.recipe.self_attention_section import SelfAttentionListener
from asr.recipe.task_section import Classify
from asr.search.beam import SearchSettings
from asr.search.biasing import bias
from asr.search.scorers import OtherScorer
from asr.text.labels import Labels
from asr.text.phrases import read_phrases
from asr.text.tokenizer import LEARNS_FROM, Tokenizer
from asr.training.learner import LearnerSettings
from asr.training.objectives import GuidedAttention, LabelObjective, SpellingObjective, TextObjective
from asr.training.trainer import TrainerSettings

Part = TypeVar("Part")
Model = AsrModel | ClassifyModel | LanguageModel


class DeviceError(ValueError):
    """A device that is not there."""


LISTENERS: dict[str, Callable[..., Listener]] = {
    "pyramid": PyramidListener,
    "conv_blstm": ConvBlstmListener,
    "vgg_blstm": VggBlstmListener,
    "conformer": ConformerListener,
    "e_branchformer": EBranchformerListener,
}
IMAGE_ATTENTIONS: dict[str, Callable[..., ImageAttention]] = {
    "squeeze_excitation": SqueezeExcitation,
    "two_dimensional": TwoDimensionalAttention,
}
SELF_ATTENTIONS: dict[str, Callable[..., SelfAttention]] = {
    "full": RelativeSelfAttention,
    "windowed": WindowedSelfAttention,
    "pyramid": PyramidSelfAttention,
    "graph": GraphSelfAttention,
}
ATTENTIONS = {
    "dot": DotAttention,
    "scaled_dot": ScaledDotAttention,
    "additive": AdditiveAttention,
    "location": LocationAttention,
    "coverage": CoverageAttention,
    "gmm": GmmAttention,
    "monotonic": MonotonicAttention,
    "mocha": MochaAttention,
}
RECURRENT_SPELLERS: dict[str, Callable[..., Speller]] = {"lstm": LstmSpeller, "parallel_lstm": ParallelLstmSpeller}


LANGUAGE_MODELS: dict[str, Callable[..., LanguageModel]] = {
    "lstm": LstmLanguageModel,
    "transformer": TransformerLanguageModel,
}


def build_model(recipe: Recipe, n_tokens: int) -> Model:
    """Makes the model of a recipe's task, its weights drawn from the recipe's seed.

    Args:
        recipe: Of the run.
        n_tokens: Size V of the vocabulary, or of the set of labels.
    """
    torch.manual_seed(recipe.training.seed)
    model, task = recipe.model, recipe.task
    if task.kind == "language_model":
        assert model.speller  # the recipe's check
        return LANGUAGE_MODELS[model.speller.kind](n_tokens, **_arguments(model.speller))
    with torch.device("cpu"):  # its filters are computed, also where the model is to have shapes and no weights
        front_end = LogMel(**_arguments(recipe.features))
    listener = _build_listener(model, recipe.features.n_mels)
    if isinstance(task, Classify):
        pooling = AttentivePooling(listener.d_output, task.d_attention, task.n_heads)
        return ClassifyModel(front_end, listener, pooling, n_tokens, task.dropout)
    speller = _build_speller(model, listener.d_output, n_tokens)
    return AsrModel(front_end, listener, speller, n_tokens, has_ctc=recipe.objective.ctc_weight > 0)


def _build_listener(model: ModelSection, n_mels: int) -> Listener:
    """Makes the listener of a model; what its section chooses by `kind` is one of its arguments."""
    assert model.listener  # the recipe's check
    listener, arguments = model.listener, _arguments(model.listener)
    if (image := arguments.get("image_attention")) is not None:
        arguments["image_attention"] = IMAGE_ATTENTIONS[image.pop("kind")](arguments["n_channels"], **image)
    if isinstance(listener, SelfAttentionListener):
        chosen = listener.self_attention
        arguments["self_attention"] = partial(SELF_ATTENTIONS[chosen.kind], **_arguments(chosen))
    return LISTENERS[listener.kind](n_mels=n_mels, **arguments)


def _build_speller(model: ModelSection, d_states: int, n_tokens: int) -> Speller:
    """Makes the speller of a model whose listener gives states of width `d_states`."""
    assert model.speller  # the recipe's check
    if model.speller.kind == "transformer":
        return TransformerSpeller(n_tokens, d_states, **_arguments(model.speller))
    assert model.attention  # the recipe's check
    attention = ATTENTIONS[model.attention.kind](
        d_query=model.speller.d_hidden, d_states=d_states, **_arguments(model.attention)
    )
    return RECURRENT_SPELLERS[model.speller.kind](attention, n_tokens, **_arguments(model.speller))


def build_vocabulary(recipe: Recipe, utterances: Utterances | Sentences) -> Tokenizer | Labels:
    """Trains the recipe's tokenizer on the training set, or collects its labels; a trained one is not made here.

    A tokenizer learns all characters, and its pieces from at most `LEARNS_FROM` texts: of a larger set, one is drawn
    from each of as many even stretches.
    """
    texts = (utterance.text for utterance in utterances)
    if recipe.tokenizer is None:  # the recipe's check: its task writes no text
        return Labels.train(texts)
    settings = recipe.tokenizer.model_dump()
    if len(utterances) <= LEARNS_FROM:
        return Tokenizer.train(texts, **settings)
    draws = np.random.RandomState(draw_key(recipe.training.seed, "tokenizer") % 2**32)
    places = (np.arange(LEARNS_FROM) + draws.random_sample(LEARNS_FROM)) * (len(utterances) / LEARNS_FROM)
    chosen = places.astype(np.int64).clip(max=len(utterances) - 1).tolist()
    return Tokenizer.train((utterances[index].text for index in chosen), **settings, alphabet=utterances.alphabet)


def build_plan(recipe: Recipe, utterances: Utterances | Sentences, n_tokens: NDArray[np.integer]) -> StagedPlan:
    """Makes the order of training, stage by stage; `n_tokens` counts the tokens of each utterance.

    Raises:
        DataError: Nothing to train on, or utterances that are too long.
    """
    if isinstance(utterances, Sentences):
        return StagedPlan([_build_text_plan(recipe, utterances, n_tokens + 1)], [])
    data, stages = recipe.data, recipe.training.stages
    parts = [(stage.max_duration_s, (stage.augment or recipe.augment).speeds) for stage in stages]
    plans = [
        BatchPlan(
            utterances,
            utterances.seconds,
            n_tokens,
            data.batch_s,
            data.batch_tokens,
            data.n_buckets,
            speeds,
            data.max_duration_s,
            recipe.training.seed,
            only_up_to_s,
        )
        for only_up_to_s, speeds in [*parts, (None, recipe.augment.speeds)]
    ]
    return StagedPlan(plans, [stage.until_step for stage in stages])


def _build_text_plan(recipe: Recipe, sentences: Sentences, lengths: NDArray[np.integer]) -> BatchPlan:
    """Batches of sentences, each as long as its tokens and its end are many."""
    data, budget = recipe.data, recipe.data.batch_tokens
    assert budget  # the recipe's check
    long = np.flatnonzero(lengths > budget)
    if len(long):
        named = ", ".join(f"{sentences[int(i)].id} ({lengths[i]})" for i in long[:5])
        raise DataError(
            f"{len(long)} sentences have more tokens than data.batch_tokens = {budget}: {named}"
            f"{' …' if len(long) > 5 else ''}; put one sentence on a line, or raise the limit"
        )
    seconds = lengths.astype(np.float64)
    return BatchPlan(sentences, seconds, lengths, budget, None, data.n_buckets, (1.0,), np.inf, recipe.training.seed)


def build_augmentation(section: AugmentSection, hop_s: float) -> Augmentation:
    """Makes what varies training utterances; `hop_s` seconds from frame to frame.

    Raises:
        NoiseError, AudioError: No impulse responses where the recipe says, or a broken one.
    """
    reverb, noise, masks = section.reverb, section.noise, section.spec_augment
    return Augmentation(
        reverb=Reverb(**reverb.model_dump()) if reverb else None,
        noise=AddNoise(noise.share, noise.snr_db, recorded=noise.folder is not None) if noise else None,
        spec_augment=SpecAugment(**masks.model_dump(), hop_s=hop_s) if masks else None,
    )


def build_augmentation_at(recipe: Recipe) -> Callable[[int], Augmentation]:
    """Makes what varies the training utterances, stage by stage: a function of the step. Texts stay as they are."""
    if recipe.task.kind == "language_model":
        return partial(_of_stage, [], [Augmentation()])
    sections = _augment_sections(recipe)
    built = {section: build_augmentation(section, recipe.features.hop_s) for section in dict.fromkeys(sections)}
    return partial(_of_stage, [stage.until_step for stage in recipe.training.stages], [built[s] for s in sections])


def build_noises_at(recipe: Recipe) -> Callable[[int], NoiseFolder | None]:
    """Lists the recordings of noise that workers decode, stage by stage: a function of the step, None for no folder.

    Raises:
        NoiseError: No such folder, or no recording in it.
    """
    noises = [section.noise for section in _augment_sections(recipe)]
    folders = [NoiseFolder(noise.folder, noise.share) if noise and noise.folder else None for noise in noises]
    return partial(_of_stage, [stage.until_step for stage in recipe.training.stages], folders)


def _augment_sections(recipe: Recipe) -> list[AugmentSection]:
    """How each stage varies utterances, the recipe's own way last."""
    return [*(stage.augment or recipe.augment for stage in recipe.training.stages), recipe.augment]


def _of_stage(ends: Sequence[int], parts: Sequence[Part], step: int) -> Part:
    return parts[bisect_right(ends, step)]


def build_objective(recipe: Recipe) -> SpellingObjective | LabelObjective | TextObjective:
    """Makes what training minimises, but for search: `min_wer` is for who knows search and scoring."""
    section, guided = recipe.objective, recipe.objective.guided_attention
    if recipe.task.kind == "classify":
        return LabelObjective(section.label_smoothing)
    if recipe.task.kind == "language_model":
        return TextObjective(section.label_smoothing, Tokenizer.sos, Tokenizer.eos)
    until_share = guided.until_step / recipe.training.n_steps if guided else 0.0
    return SpellingObjective(
        **section.model_dump(exclude={"guided_attention", "min_wer"}),
        sos=Tokenizer.sos,
        eos=Tokenizer.eos,
        guided_attention=GuidedAttention(guided.weight, guided.width, until_share, guided.n_heads) if guided else None,
    )


def build_learner_settings(recipe: Recipe) -> LearnerSettings:
    """Gathers what a step needs to know."""
    return LearnerSettings(**recipe.training.model_dump(include={field.name for field in fields(LearnerSettings)}))


def build_trainer_settings(recipe: Recipe) -> TrainerSettings:
    """Gathers what the trainer needs to know."""
    return TrainerSettings(**recipe.training.model_dump(include={field.name for field in fields(TrainerSettings)}))


def build_search_settings(recipe: Recipe) -> SearchSettings:
    """Makes the settings of search."""
    return SearchSettings(**recipe.search.model_dump(include={field.name for field in fields(SearchSettings)}))


def build_phrases(recipe: Recipe, tokenizer: Tokenizer) -> list[OtherScorer]:
    """Makes the scorer that favours the recipe's phrases; none without phrases.

    Raises:
        PhraseError: A phrase that the tokenizer cannot write, or a weight that is none.
    """
    if recipe.search.phrases is None:
        return []
    phrases = read_phrases(recipe.search.phrases, tokenizer.alphabet)
    return bias([phrases], tokenizer.surfaces(), recipe.search.phrase_weight)


def build_n_best_settings(recipe: Recipe, n_best: int) -> SearchSettings:
    """Makes the settings of the search whose errors are trained on: `n_best` from a beam as wide."""
    return replace(build_search_settings(recipe), beam_size=n_best, n_best=n_best, method="beam")


def pick_device(name: str) -> torch.device:
    """Turns `auto`, `cpu`, `cuda` or `cuda:N` into a device; auto takes a GPU where there is one.

    Of several processes on a machine, each gets a GPU of its own.

    Raises:
        DeviceError: No such device, or a GPU is asked for where torch sees none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and torch.cuda.is_available():
        name = f"cuda:{local_rank()}"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"device {name}: expected auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError(f"device {name}: torch sees no GPU here; use cpu, or see `asr doctor`")
    return device


def _arguments(section: Section) -> dict[str, Any]:
    return section.model_dump(exclude={"kind"})
