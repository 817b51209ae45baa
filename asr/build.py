"""From a recipe to objects: the only room that knows both. Field names are constructor arguments."""

from collections.abc import Sequence
from typing import Any

import torch

from asr.audio.augment import SpecAugment
from asr.audio.logmel import LogMel
from asr.corpora.manifest import Utterance
from asr.dataset.plan import BatchPlan
from asr.models.asr_model import AsrModel
from asr.models.attention import AdditiveAttention, LocationAttention
from asr.models.listeners import ConvBlstmListener, PyramidListener
from asr.models.speller import LstmSpeller
from asr.recipe.schema import Recipe
from asr.recipe.section import Section
from asr.search.beam import SearchSettings
from asr.text.tokenizer import Tokenizer
from asr.training.trainer import TrainerSettings


class DeviceError(ValueError):
    """A device that is not there."""


LISTENERS = {"pyramid": PyramidListener, "conv_blstm": ConvBlstmListener}
ATTENTIONS = {"additive": AdditiveAttention, "location": LocationAttention}


def build_model(recipe: Recipe, n_tokens: int) -> AsrModel:
    """Makes the model of a recipe, its weights drawn from the recipe's seed.

    Args:
        recipe: Of the run.
        n_tokens: Size V of the tokenizer's vocabulary.
    """
    torch.manual_seed(recipe.training.seed)
    model = recipe.model
    front_end = LogMel(**_arguments(recipe.features))
    listener = LISTENERS[model.listener.kind](n_mels=recipe.features.n_mels, **_arguments(model.listener))
    attention = ATTENTIONS[model.attention.kind](
        d_query=model.speller.d_hidden, d_states=listener.d_output, **_arguments(model.attention)
    )
    speller = LstmSpeller(attention, n_tokens, listener.d_output, **_arguments(model.speller))
    return AsrModel(front_end, listener, speller, n_tokens)


def build_tokenizer(recipe: Recipe, utterances: Sequence[Utterance]) -> Tokenizer:
    """Trains the recipe's tokenizer on the transcripts of the training set."""
    return Tokenizer.train((utterance.text for utterance in utterances), **recipe.tokenizer.model_dump())


def build_plan(recipe: Recipe, utterances: Sequence[Utterance]) -> BatchPlan:
    """Makes the order of training."""
    data = recipe.data
    return BatchPlan(
        utterances, data.batch_s, data.n_buckets, recipe.augment.speeds, data.max_duration_s, recipe.training.seed
    )


def build_spec_augment(recipe: Recipe) -> SpecAugment:
    """Makes the masks for training features."""
    section = recipe.augment.spec_augment.model_dump(exclude={"from_step"})
    return SpecAugment(**section, hop_s=recipe.features.hop_s)


def build_trainer_settings(recipe: Recipe, tokenizer: Tokenizer) -> TrainerSettings:
    """Gathers what the trainer needs to know."""
    return TrainerSettings(
        **recipe.training.model_dump(exclude={"device"}),
        **recipe.objective.model_dump(),
        spec_augment_from_step=recipe.augment.spec_augment.from_step,
        sos=tokenizer.sos,
        eos=tokenizer.eos,
    )


def build_search_settings(recipe: Recipe) -> SearchSettings:
    """Makes the settings of beam search."""
    return SearchSettings(**recipe.search.model_dump(exclude={"batch_s"}))


def pick_device(name: str) -> torch.device:
    """Turns `auto`, `cpu`, `cuda` or `cuda:N` into a device; auto takes a GPU where there is one.

    Raises:
        DeviceError: No such device, or a GPU is asked for where torch sees none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"device {name}: expected auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError(f"device {name}: torch sees no GPU here; use cpu, or see `asr doctor`")
    return device


def _arguments(section: Section) -> dict[str, Any]:
    return section.model_dump(exclude={"kind"})
