"""What a recipe's search asks besides the recogniser itself: language models over its tokens."""

from pathlib import Path

import torch
from torch import Tensor

from asr.models.asr_model import AsrModel
from asr.models.language_models.language_model import LanguageModel
from asr.models.ngram import NgramError, NgramModel
from asr.recipe.schema import Recipe
from asr.recognizer.model_folder import first_difference, load_model
from asr.search.language_model import LEAST_INTERNAL, InternalLanguageModel, LanguageModelScorer
from asr.search.ngram import NgramScorer
from asr.search.scorers import OtherScorer, Scorer
from asr.text.arpa import ArpaError, read_arpa
from asr.text.tokenizer import Tokenizer


class LanguageModelError(ValueError):
    """A language model that does not go with the recogniser; the message names both."""


def load_language_models(
    recipe: Recipe, folder: Path, model: AsrModel, tokenizer: Tokenizer, device: torch.device
) -> list[OtherScorer]:
    """Reads the language models that a recipe's `search` section names; those of weight 0 are left alone.

    Args:
        recipe: Of the recogniser, changes to its search section included.
        folder: The recogniser's, for messages.
        model: The recogniser's.
        tokenizer: The recogniser's.
        device: Where it searches.

    Raises:
        LanguageModelError: A model is missing, or its tokens are others than the recogniser's.
        ArpaError, CheckpointError: One is not what it should be.
    """
    search = recipe.search
    found: list[OtherScorer] = []
    if search.method in ("greedy", "ctc"):
        return found
    if search.lm is not None and search.lm_weight > 0:
        lm = load_lm(search.lm, folder, tokenizer).to(device)
        found.append(OtherScorer("lm", search.lm_weight, lambda _, lens: LanguageModelScorer(lm, lens)))
    if search.ngram is not None and search.ngram_weight > 0:
        ngram = load_ngram(search.ngram, folder, tokenizer).to(device)
        found.append(OtherScorer("ngram", search.ngram_weight, lambda _, lens: NgramScorer(ngram, lens)))
    if search.internal_lm_weight > 0:
        found.append(internal_lm(model, search.internal_lm_weight))
    return found


def internal_lm(model: AsrModel, weight: float) -> OtherScorer:
    """Takes off what the speller would write without audio, `weight` times."""

    def begin(states: Tensor, state_lens: Tensor) -> Scorer:
        return LanguageModelScorer(InternalLanguageModel(model.speller, states), state_lens, LEAST_INTERNAL)

    return OtherScorer("internal_lm", -weight, begin, most=-weight * LEAST_INTERNAL)


def load_lm(path: Path, folder: Path, tokenizer: Tokenizer) -> LanguageModel:
    """Reads a trained language model, on the CPU, whose tokens are those of a recogniser's folder.

    Raises:
        LanguageModelError, CheckpointError: See `load_language_models`.
    """
    key = f"search.lm = {path}"
    if not path.is_dir():
        raise LanguageModelError(f"{key}: no such folder; it takes EXP/best of a language model trained for {folder}")
    recipe, theirs, model = load_model(path)
    if not isinstance(model, LanguageModel) or not isinstance(theirs, Tokenizer):
        raise LanguageModelError(f"{key}: a model trained to {recipe.task.kind}, but {folder} asks a language model")
    if (differing := first_difference(tokenizer, theirs)) is not None:
        number, here, there = differing
        raise LanguageModelError(
            f"{key}: its tokens are not those of the recogniser {folder}: token {number} is {there!r} there and "
            f"{here!r} here; train it with tokenizer={{kind: trained, folder: {folder}}}"
        )
    return model


def load_ngram(path: Path, folder: Path, tokenizer: Tokenizer) -> NgramModel:
    """Reads an ARPA file whose words are the tokens of a recogniser's folder.

    Raises:
        LanguageModelError, ArpaError: See `load_language_models`.
    """
    if not path.is_file():
        raise LanguageModelError(f"search.ngram = {path}: no such file; `asr lm` makes one for {folder}")
    arpa = read_arpa(path)
    numbers = {piece: number for number, piece in enumerate(tokenizer.pieces(range(tokenizer.n_tokens)))}
    for place, word in enumerate(arpa.words):
        if word not in numbers:
            raise LanguageModelError(
                f"{path}:{arpa.tables[0].first_line + place}: {word!r} is no token of the recogniser {folder}, but "
                f"search.ngram takes n-grams of its tokens; make one with `asr lm TEXT --tokenizer {folder}`"
            )
    try:
        return NgramModel(
            arpa, [numbers[word] for word in arpa.words], tokenizer.n_tokens, tokenizer.sos, tokenizer.unk
        )
    except NgramError as error:
        raise ArpaError(f"{path}: {error}") from error
