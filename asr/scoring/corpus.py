"""Scores of a whole corpus: joined by utterance id, summed once, with an interval that says how sure the figure is."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from asr.scoring.errors import ErrorCounts, ScoringError, character_errors, word_errors
from asr.scoring.sclite import sclite_errors

_N_LISTED = 20
_BLOCK_CELLS = 4_000_000  # resampled utterances drawn at a time; bounds memory to some 100 MB


@dataclass(frozen=True, slots=True)
class UtteranceScore:
    """One utterance with its errors."""

    id: str
    speaker: str | None
    reference: str
    hypothesis: str
    words: ErrorCounts
    characters: ErrorCounts


@dataclass(frozen=True, slots=True)
class CorpusScore:
    """The score of a corpus; rates are fractions (0.03 is 3 %).

    Attributes:
        utterances: Every utterance, sorted by id.
        words: Word errors summed over the corpus.
        characters: Character errors summed over the corpus.
        wer_interval: Lower and upper end of the 95 % bootstrap interval of the word error rate.
        cer_interval: The same for the character error rate.
        ser_interval: The same for the sentence error rate.
        by_sclite: Word errors as NIST sclite counts them, summed over the corpus.
    """

    utterances: tuple[UtteranceScore, ...]
    words: ErrorCounts
    characters: ErrorCounts
    wer_interval: tuple[float, float]
    cer_interval: tuple[float, float]
    ser_interval: tuple[float, float]
    by_sclite: ErrorCounts

    @property
    def wer(self) -> float:
        """Word error rate: all errors over all reference words; infinite if there are none but words were inserted."""
        return self.words.rate

    @property
    def cer(self) -> float:
        """Character error rate, computed like `wer`."""
        return self.characters.rate

    @property
    def n_wrong(self) -> int:
        """Utterances with at least one word error."""
        return sum(1 for utterance in self.utterances if utterance.words.n_errors)

    @property
    def ser(self) -> float:
        """Sentence error rate: the share of utterances with an error."""
        return self.n_wrong / len(self.utterances)

    def by_speaker(self) -> dict[str, ErrorCounts]:
        """Word errors summed per speaker; utterances without a speaker are left out."""
        counts: dict[str, ErrorCounts] = defaultdict(ErrorCounts)
        for utterance in self.utterances:
            if utterance.speaker is not None:
                counts[utterance.speaker] += utterance.words
        return dict(sorted(counts.items()))


def score(
    references: Mapping[str, str],
    hypotheses: Mapping[str, str],
    speakers: Mapping[str, str] | None = None,
    *,
    n_resamples: int = 1000,
    seed: int = 0,
) -> CorpusScore:
    """Scores hypotheses against references with the same ids.

    Args:
        references: Utterance id to true text; empty texts count (whatever is inserted there is an error).
        hypotheses: Utterance id to recognised text, both normalised the same way.
        speakers: Utterance id to speaker, where known.
        n_resamples: Resamples of the bootstrap.
        seed: Seed of the bootstrap: the same corpus gives the same interval.

    Raises:
        ScoringError: Ids are missing or extra (all counted, the first of them listed), or there are no utterances.
    """
    check_ids(
        {
            "without a hypothesis": references.keys() - hypotheses.keys(),
            "without a reference": hypotheses.keys() - references.keys(),
        }
    )
    if not references:
        raise ScoringError("nothing to score: there are no utterances")
    utterances = tuple(
        UtteranceScore(
            id,
            (speakers or {}).get(id),
            references[id],
            hypotheses[id],
            word_errors(references[id], hypotheses[id]),
            character_errors(references[id], hypotheses[id]),
        )
        for id in sorted(references)
    )
    words = [utterance.words for utterance in utterances]
    characters = [utterance.characters for utterance in utterances]
    sentences = [ErrorCounts(1) if each.n_errors else ErrorCounts(hits=1) for each in words]
    return CorpusScore(
        utterances,
        reduce(add, words),
        reduce(add, characters),
        bootstrap_interval(words, n_resamples=n_resamples, seed=seed),
        bootstrap_interval(characters, n_resamples=n_resamples, seed=seed),
        bootstrap_interval(sentences, n_resamples=n_resamples, seed=seed),
        reduce(add, (sclite_errors(each.reference, each.hypothesis) for each in utterances)),
    )


def bootstrap_interval(
    counts: Sequence[ErrorCounts], *, n_resamples: int = 1000, seed: int = 0, confidence: float = 0.95
) -> tuple[float, float]:
    """The interval of the corpus error rate when utterances are drawn again with replacement.

    Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation", ICASSP 2004.

    Args:
        counts: Errors per utterance.
        n_resamples: How many corpora are drawn.
        seed: Seed of the draw.
        confidence: Share of the drawn rates inside the interval.
    """
    table = np.array([[each.n_errors, each.n_reference] for each in counts], dtype=np.float64)
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK_CELLS // len(table))
    sums = [
        table[rng.integers(len(table), size=(min(block, n_resamples - start), len(table)))].sum(axis=1)
        for start in range(0, n_resamples, block)
    ]
    n_errors, n_reference = np.concatenate(sums).T
    rates = np.where(n_reference > 0, n_errors / np.maximum(n_reference, 1), np.where(n_errors > 0, np.inf, 0.0))
    tail = (1 - confidence) / 2
    low, high = np.quantile(rates, [tail, 1 - tail], method="nearest")  # interpolating between infinities is undefined
    return float(low), float(high)


def by_id(pairs: Iterable[tuple[str, str]], source: str) -> dict[str, str]:
    """Turns (id, text) pairs into a mapping.

    Args:
        pairs: Ids with their texts.
        source: Where they come from, for the message.

    Raises:
        ScoringError: Ids that occur more than once.
    """
    texts: dict[str, str] = {}
    twice = set()
    for id, text in pairs:
        if id in texts:
            twice.add(id)
        texts[id] = text
    check_ids({f"more than once in {source}": twice})
    return texts


def check_ids(faulty: Mapping[str, set[str]]) -> None:
    """Raises a ScoringError of all faults, each with its count and the first ids that have it."""
    faults = []
    for fault, ids in faulty.items():
        if ids:
            listed = ", ".join(sorted(ids)[:_N_LISTED]) + (", …" if len(ids) > _N_LISTED else "")
            faults.append(f"{len(ids)} utterance id(s) {fault}: {listed}")
    if faults:
        raise ScoringError("\n".join(faults))
