"""Word and character errors of one utterance, by minimum edit distance (jiwer)."""

import math
from dataclasses import dataclass
from typing import Literal

import jiwer

Operation = Literal["equal", "substitute", "delete", "insert"]


class ScoringError(ValueError):
    """References and hypotheses that cannot be scored; the message lists every utterance at fault."""


@dataclass(frozen=True, slots=True)
class ErrorCounts:
    """What separates a hypothesis from its reference; counts add up over a corpus before any rate is taken.

    Attributes:
        substitutions: Reference words replaced by another.
        deletions: Reference words left out.
        insertions: Hypothesis words that the reference does not have.
        hits: Reference words found.
    """

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    hits: int = 0

    @property
    def n_errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def n_reference(self) -> int:
        """Words (or characters) of the reference."""
        return self.substitutions + self.deletions + self.hits

    @property
    def rate(self) -> float:
        """Errors over reference words: 0.03 is 3 %. Infinite when words were inserted into an empty reference."""
        if self.n_reference == 0:
            return math.inf if self.n_errors else 0.0
        return self.n_errors / self.n_reference

    def __add__(self, other: "ErrorCounts") -> "ErrorCounts":
        return ErrorCounts(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.hits + other.hits,
        )


@dataclass(frozen=True, slots=True)
class AlignedPair:
    """One column of an alignment: a reference word over a hypothesis word, either of them possibly absent."""

    operation: Operation
    reference: str | None
    hypothesis: str | None


def word_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Counts word errors; words are separated by white space and compared exactly (normalise both texts first).

    An empty reference makes every hypothesis word an insertion, an empty hypothesis every reference word a deletion.
    """
    reference, hypothesis = " ".join(reference.split()), " ".join(hypothesis.split())
    if not reference or not hypothesis:
        return ErrorCounts(deletions=len(reference.split()), insertions=len(hypothesis.split()))
    return _counts(jiwer.process_words(reference, hypothesis))


def character_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Counts character errors; a run of white space counts as one character, at either end as none."""
    reference, hypothesis = " ".join(reference.split()), " ".join(hypothesis.split())
    if not reference or not hypothesis:
        return ErrorCounts(deletions=len(reference), insertions=len(hypothesis))
    return _counts(jiwer.process_characters(reference, hypothesis))


def align_words(reference: str, hypothesis: str) -> list[AlignedPair]:
    """Lays the words of both texts against each other, as `word_errors` counts them."""
    ref, hyp = reference.split(), hypothesis.split()
    if not ref or not hyp:
        return [AlignedPair("delete", word, None) for word in ref] + [AlignedPair("insert", None, word) for word in hyp]
    pairs = []
    for chunk in jiwer.process_words(" ".join(ref), " ".join(hyp)).alignments[0]:
        ref_words = ref[chunk.ref_start_idx : chunk.ref_end_idx]
        hyp_words = hyp[chunk.hyp_start_idx : chunk.hyp_end_idx]
        for i in range(max(len(ref_words), len(hyp_words))):
            pairs.append(
                AlignedPair(
                    chunk.type,
                    ref_words[i] if i < len(ref_words) else None,
                    hyp_words[i] if i < len(hyp_words) else None,
                )
            )
    return pairs


def _counts(output: jiwer.WordOutput | jiwer.CharacterOutput) -> ErrorCounts:
    return ErrorCounts(output.substitutions, output.deletions, output.insertions, output.hits)
