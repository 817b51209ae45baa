"""Alignment health: has attention learnt to walk along the utterance, and does decoding end where it should?

An attention model that never learns to align looks, by its loss alone, like one that learns slowly. These five numbers
tell them apart long before the training is over.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Each attention threshold lies between what attention that has learnt nothing gives and what a walk gives, on synthetic
# weights of 20 tokens over 100 states. In brackets: stuck on one state / even on all / sharp at random places / a walk
# over the middle half of the audio with jitter.
MIN_MONOTONICITY = 0.75  # (1.0 / 1.0 / 0.5 / 1.0) a few steps back are slips mended, half of them are chance
MIN_COVERAGE = 0.3  # (0.0 / 0.0 / 1.0 / 0.5) half a recording may be silence; less than a third of it is no walk
MAX_ENTROPY = 0.85  # (0.1 / 1.0 / 0.5 / 0.5) near 1 everything is attended at once, which is nothing
# Decoding without the reference's help, bounds far from what a usable model does.
MAX_LOOP_SHARE = 0.1  # loops should be rare; one utterance in ten is a habit
LENGTH_RATIOS = (0.6, 1.6)  # at a word error rate of 40 %, all of it deletions, the ratio is 0.6
LOOP_REPEATS = 4  # "no no no" is speech; four times the same, where the reference has no such thing, is a loop
MAX_LOOP_TOKENS = 16  # longest repeated unit looked for: a few words of characters

ADVICE = (
    "give CTC more weight (0.3), train on short utterances first, use location-aware attention, "
    "switch SpecAugment on only after warm-up, or train for more steps"
)


@dataclass(frozen=True, slots=True)
class AlignmentHealth:
    """How well attention aligns over a set of utterances.

    Attributes:
        monotonicity: Share of steps on which attention does not move back, by more than half a token's share of the
            audio.
        coverage: How much of the utterance the attended positions span (90 % of them; 1 is an even walk).
        entropy: Mean entropy of the attention over its maximum: 0 on one state, 1 evenly on all.
        loop_share: Share of hypotheses with a run of repeated tokens that their references do not have.
        length_ratio: Tokens of all free-running hypotheses over tokens of all references.
    """

    monotonicity: float
    coverage: float
    entropy: float
    loop_share: float
    length_ratio: float

    def verdict(self) -> str | None:
        """None when healthy, else an alarm that names what is wrong and what to do; too early to ask before warm-up."""
        shortest, longest = LENGTH_RATIOS
        align = "attention has not learnt to align"
        end = "decoding does not end where it should"
        faults = [
            fault
            for is_healthy, fault in (
                (self.coverage >= MIN_COVERAGE, f"{align}: it spans {self.coverage:.0%} of the audio"),
                (self.monotonicity >= MIN_MONOTONICITY, f"{align}: {1 - self.monotonicity:.0%} of its steps go back"),
                (self.entropy <= MAX_ENTROPY, f"{align}: its entropy is {self.entropy:.0%} of the greatest there is"),
                (self.loop_share <= MAX_LOOP_SHARE, f"{end}: {self.loop_share:.0%} of the hypotheses run in a loop"),
                (
                    shortest <= self.length_ratio <= longest,
                    f"{end}: hypotheses have {self.length_ratio:.2f} times the tokens of their references",
                ),
            )
            if not is_healthy
        ]
        return f"{'; '.join(faults)}. To mend it: {ADVICE}" if faults else None


def alignment_health(
    weights: Sequence[np.ndarray], hypotheses: Sequence[Sequence[int]], references: Sequence[Sequence[int]]
) -> AlignmentHealth:
    """Measures alignment over a set of utterances, dev or a part of it.

    Args:
        weights: Per utterance (U, S), rows of attention over its own states, padding cut off; from teacher forcing or
            from decoding. Utterances of fewer than two tokens say nothing and are passed over.
        hypotheses: Token ids as decoded without the reference's help, special ids left out.
        references: Token ids of the references, in the same order.

    Raises:
        ValueError: Not one hypothesis for each reference.
    """
    measured = [_measure(np.asarray(rows, dtype=np.float64)) for rows in weights if len(rows) >= 2]
    n_steps, n_forward, coverages, entropies = zip(*measured, strict=True) if measured else ((), (), (), ())
    n_loops = sum(
        has_loop(hypothesis) and not has_loop(reference)
        for hypothesis, reference in zip(hypotheses, references, strict=True)
    )
    n_tokens = sum(map(len, references))
    return AlignmentHealth(
        monotonicity=sum(n_forward) / sum(n_steps) if measured else 1.0,
        coverage=float(np.mean(coverages)) if measured else 1.0,
        entropy=float(np.mean(entropies)) if measured else 0.0,
        loop_share=n_loops / max(len(references), 1),
        length_ratio=sum(map(len, hypotheses)) / n_tokens if n_tokens else 1.0,
    )


def has_loop(tokens: Sequence[int]) -> bool:
    """Tells whether some run of 1 to 16 tokens stands four times in a row."""
    for n_unit in range(1, min(MAX_LOOP_TOKENS, len(tokens) // LOOP_REPEATS) + 1):
        n_same = 0
        for token, earlier in zip(tokens[n_unit:], tokens, strict=False):
            n_same = n_same + 1 if token == earlier else 0
            if n_same >= n_unit * (LOOP_REPEATS - 1):
                return True
    return False


def _measure(weights: np.ndarray) -> tuple[int, int, float, float]:
    """Steps, steps not backwards, coverage and entropy of one utterance, from weights (U, S)."""
    n_tokens, n_states = weights.shape
    if not np.isfinite(weights).all():
        return n_tokens - 1, 0, 0.0, 1.0
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    positions = weights @ np.arange(n_states)
    n_forward = int((np.diff(positions) >= -0.5 * n_states / n_tokens).sum())
    low, high = np.quantile(positions, [0.05, 0.95])
    even_walk = 0.9 * n_states * (1 - 1 / n_tokens)
    logs = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
    entropy = -(weights * logs).sum(axis=1).mean() / np.log(n_states) if n_states > 1 else 0.0
    return n_tokens - 1, n_forward, float(min((high - low) / even_walk, 1.0)), float(entropy)
