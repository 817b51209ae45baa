"""How sure to be of a word: a probability from what the speller and CTC thought of its tokens."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from asr.recognizer.transcript import Word
from asr.scoring.calibration import fit_platt, sigmoid
from asr.search.ctc_align import Alignment
from asr.search.hypothesis import Hypothesis
from asr.text.tokenizer import Tokenizer
from asr.training.checkpoint import CheckpointError

CALIBRATION_FILE = "calibration.json"
_NEARLY_SURE, _NEARLY_NEVER = -1e-4, -20.0  # log-probabilities: beyond them digits are rounding, and log-odds infinite

Evidence = dict[str, float]
"""Log-odds of a word by name: "speller" and "ctc", as far as the search asked them."""


def evidence_of(places: Sequence[int], hypothesis: Hypothesis, alignment: Alignment | None, has_ctc: bool) -> Evidence:
    """Gathers what speaks for a word: by each witness, the log-odds of the word's weakest token.

    The speller's are of the token after those before it; CTC's are of the best state among those that the token is
    aligned to.

    Args:
        places: Where the word's tokens are in the hypothesis.
        hypothesis: With its gains.
        alignment: Of CTC; None without, or where more tokens were written than CTC could have said.
        has_ctc: Whether there is CTC.
    """
    found = {}
    if "attention" in hypothesis.gains:
        found["speller"] = _log_odds(min(hypothesis.gains["attention"][place] for place in places))
    if alignment is not None:
        spans = (slice(alignment.starts[place], alignment.ends[place]) for place in places)
        found["ctc"] = _log_odds(min(float(alignment.log_probs[span].max()) for span in spans))
    elif has_ctc:
        found["ctc"] = _log_odds(-math.inf)
    return found


def with_confidence(
    words: Sequence[Word],
    tokenizer: Tokenizer,
    hypothesis: Hypothesis,
    alignment: Alignment | None,
    has_ctc: bool,
    calibration: "Calibration | None",
) -> tuple[Word, ...]:
    """Says how sure to be of the words of a hypothesis: raw confidences where the calibration is of another search."""
    found = []
    for word, (_, places) in zip(words, tokenizer.words(hypothesis.tokens), strict=True):
        evidence = evidence_of(places, hypothesis, alignment, has_ctc)
        fits = calibration is not None and calibration.covers(evidence)
        confidence = calibration.confidence(evidence) if calibration and fits else raw_confidence(evidence)
        found.append(replace(word, confidence=confidence, evidence=evidence))
    return tuple(found)


def _log_odds(log_prob: float) -> float:
    log_prob = min(max(log_prob, _NEARLY_NEVER), _NEARLY_SURE)
    return log_prob - math.log(-math.expm1(log_prob))


def raw_confidence(evidence: Mapping[str, float]) -> float | None:
    """Without calibration: the probability of the word's weakest token, by the speller if it was asked."""
    known = evidence.get("speller", evidence.get("ctc"))
    return None if known is None else float(sigmoid(known))


@dataclass(frozen=True, slots=True)
class Calibration:
    """From evidence to the probability that a word is right: sigmoid(bias + Σ weight · log-odds).

    Attributes:
        bias: Of the formula.
        weights: Of each piece of evidence.
        n_words: Words it was fitted to.
        n_wrong: Those of them that were wrong.
    """

    bias: float
    weights: dict[str, float]
    n_words: int
    n_wrong: int

    @classmethod
    def fit(cls, evidence: Sequence[Mapping[str, float]], right: Sequence[bool]) -> "Calibration":
        """Fits words of one model and one way of search, all with the same kinds of evidence."""
        names = sorted(evidence[0])
        table = np.array([[each[name] for name in names] for each in evidence])
        bias, weights = fit_platt(table, right)
        return cls(bias, dict(zip(names, weights, strict=True)), len(right), len(right) - sum(right))

    def covers(self, evidence: Mapping[str, float]) -> bool:
        """Whether evidence is of the kinds that it was fitted to; another way of search may ask other witnesses."""
        return evidence.keys() == self.weights.keys()

    def confidence(self, evidence: Mapping[str, float]) -> float:
        """The probability that a word is right."""
        return float(sigmoid(self.bias + sum(weight * evidence[name] for name, weight in self.weights.items())))

    def to_json(self) -> bytes:
        """As it is kept in a model's folder."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode()

    @classmethod
    def load(cls, folder: Path) -> "Calibration | None":
        """Reads that of a model folder, whose manifest has been checked; None where it has none.

        Raises:
            CheckpointError: The file is not such a calibration.
        """
        path = folder / CALIBRATION_FILE
        if not path.exists():
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            weights = {str(name): float(weight) for name, weight in found["weights"].items()}
            return cls(float(found["bias"]), weights, int(found["n_words"]), int(found["n_wrong"]))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise CheckpointError(
                f"{path}: no calibration ({type(error).__name__}: {error}); run `asr calibrate` again"
            ) from error
