"""What a recipe's search asks besides the recogniser itself: language models over its tokens."""

from pathlib import Path

import torch

from asr.models.ngram import NgramError, NgramModel
from asr.recipe.schema import Recipe
from asr.search.ngram import NgramScorer
from asr.search.scorers import OtherScorer
from asr.text.arpa import ArpaError, read_arpa
from asr.text.tokenizer import Tokenizer


class LanguageModelError(ValueError):
    """A language model that does not go with the recogniser; the message names both."""


def load_language_models(recipe: Recipe, folder: Path, tokenizer: Tokenizer, device: torch.device) -> list[OtherScorer]:
    """Reads the language models that a recipe's `search` section names; those of weight 0 are left alone.

    Beam and rescoring ask them: for other methods there are none.

    Args:
        recipe: Of the recogniser, changes to its search section included.
        folder: The recogniser's, for messages.
        tokenizer: The recogniser's.
        device: Where it searches.

    Raises:
        LanguageModelError: A model is missing, or its tokens are others than the recogniser's.
        ArpaError: A file is not in ARPA format.
    """
    search = recipe.search
    found: list[OtherScorer] = []
    if search.method in ("greedy", "ctc"):
        return found
    if search.ngram is not None and search.ngram_weight > 0:
        ngram = load_ngram(search.ngram, folder, tokenizer).to(device)
        found.append(OtherScorer("ngram", search.ngram_weight, lambda _, lens: NgramScorer(ngram, lens)))
    return found


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
