"""How well does a language model foresee a text?"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.nn import functional as F

from asr.corpora.manifest import Utterance
from asr.corpora.sentences import Sentences
from asr.dataset.batches import pad
from asr.dataset.plan import in_order
from asr.models.language_models.language_model import LanguageModel
from asr.models.ngram import NgramModel
from asr.models.objective import history_of, targets_of
from asr.ranks.group import Ranks
from asr.recipe.schema import Recipe
from asr.text.tokenizer import Tokenizer
from asr.training.trainer import PERPLEXITY, Validation

_NGRAM_TOKENS = 1_000_000  # scored at once


@dataclass(frozen=True)
class Perplexity:
    """What a model makes of a text; every sentence's end is a token and a word, its start is none.

    Attributes:
        log_prob: Of the whole text, natural.
        n_tokens: Tokens in it.
        n_words: Words in it.
        n_sentences: Sentences in it.
    """

    log_prob: float
    n_tokens: int
    n_words: int
    n_sentences: int

    @property
    def per_token(self) -> float:
        """The inverse of a token's probability, in geometric mean; of models with the same tokens alone comparable."""
        return math.exp(min(-self.log_prob / self.n_tokens, 700.0))

    @property
    def per_word(self) -> float:
        """The same of a word's: comparable between models with different tokens."""
        return math.exp(min(-self.log_prob / self.n_words, 700.0))

    @property
    def report(self) -> str:
        """The line to print."""
        return (
            f"perplexity {self.per_token:.3f} per token, {self.per_word:.1f} per word; {self.n_sentences} sentences, "
            f"{self.n_words} words, {self.n_tokens} tokens, ends included"
        )


@dataclass(frozen=True)
class TextModel:
    """A trained language model, on its device, in evaluation mode."""

    model: LanguageModel
    tokenizer: Tokenizer
    recipe: Recipe


def perplexity(
    model: LanguageModel,
    tokenizer: Tokenizer,
    sentences: Sequence[Utterance],
    batch_tokens: int,
    ranks: Ranks,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Perplexity:
    """Scores a text; every rank works on its share, and all get the sum.

    Args:
        model: In evaluation mode.
        tokenizer: Of that model.
        sentences: The text.
        batch_tokens: Padded tokens per batch.
        ranks: The processes that share the work.
        progress: Told (sentences done, all of this process's).
    """
    device = next(model.parameters()).device
    mine = [sentence.text for sentence in ranks.share(sentences)]
    encoded = tokenizer.encode_all(mine)
    sums = torch.tensor([0, 0, sum(len(text.split()) + 1 for text in mine), len(mine)], dtype=torch.float64)
    n_done = 0
    for chosen in in_order([len(tokens) + 1 for tokens in encoded], batch_tokens):
        ranks.at(n_done, "validating")
        tokens, lens = (each.to(device) for each in pad([torch.tensor(encoded[i], dtype=torch.int64) for i in chosen]))
        sums[:2] += torch.tensor(_score(model, tokenizer, tokens, lens), dtype=torch.float64)
        n_done += len(chosen)
        progress(n_done, len(mine))
    log_prob, *numbers = ranks.sum(sums).tolist()
    return Perplexity(log_prob, *map(int, numbers))


def ngram_perplexity(model: NgramModel, tokenizer: Tokenizer, texts: Sequence[str]) -> Perplexity:
    """Scores sentences by an n-gram model of a tokenizer's tokens."""
    encoded = [[*tokens, tokenizer.eos] for tokens in tokenizer.encode_all(texts)]
    log_prob = 0.0
    for chosen in in_order([len(tokens) for tokens in encoded], _NGRAM_TOKENS):
        sentences, lens = pad([torch.tensor(encoded[index]) for index in chosen])
        log_prob += float(model.score(sentences, lens).sum())
    n_words = sum(len(text.split()) + 1 for text in texts)
    return Perplexity(log_prob, sum(map(len, encoded)), n_words, len(texts))


@torch.inference_mode()
def _score(model: LanguageModel, tokenizer: Tokenizer, tokens: torch.Tensor, lens: torch.Tensor) -> tuple[float, float]:
    """Log-probability and number of tokens of sentences (B, U), ends included."""
    targets, valid = targets_of(tokens, lens, tokenizer.eos)
    logits = model(history_of(tokens, tokenizer.sos))[valid].double()
    return -float(F.cross_entropy(logits, targets[valid], reduction="sum")), float(valid.sum())


class TextValidator:
    """What the trainer of a language model asks after every so many steps: how perplexed is it by dev?

    Args:
        trained: The model in training.
        dev: Its development set.
        ranks: The processes that share the work; all of them get the same result.
    """

    def __init__(self, trained: TextModel, dev: Sequence[Utterance], ranks: Ranks) -> None:
        self.trained = trained
        self.dev = dev
        self.ranks = ranks

    def __call__(self, step: int) -> Validation:
        """Validates the model as it stands."""
        found = _of(self.trained, self.dev, self.ranks)
        return Validation(PERPLEXITY, found.per_token, {"word_perplexity": found.per_word})


def evaluate_text(
    trained: TextModel, text: Path, out: Path | None, ranks: Ranks, progress: Callable[[int, int], None]
) -> Perplexity:
    """Scores a text, and writes results.json to a folder, if there is one.

    Raises:
        TextError, OSError: It cannot be read.
    """
    found = _of(trained, Sentences([text], trained.recipe.data.language), ranks, progress)
    if out is not None and ranks.is_first:
        out.mkdir(parents=True, exist_ok=True)
        about = {"text": str(text), "per_token": found.per_token, "per_word": found.per_word, **asdict(found)}
        (out / "results.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return found


def _of(
    trained: TextModel,
    sentences: Sequence[Utterance],
    ranks: Ranks,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Perplexity:
    batch_tokens = trained.recipe.data.batch_tokens
    assert batch_tokens is not None  # the recipe's check
    return perplexity(trained.model, trained.tokenizer, sentences, batch_tokens, ranks, progress)
