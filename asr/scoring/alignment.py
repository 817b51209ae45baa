"""Alignment health: has attention learnt to walk along the utterance, and does decoding end where it should?

An attention model that never learns to align looks, by its loss alone, like one that learns slowly. These numbers
tell them apart long before the training is over.

Of several heads, some look at silence, at the end or everywhere at once; a speller has aligned when any one of them
walks. Their mean would blur that walk, and the best head of each utterance would find one by chance. So the head is
chosen once for the whole set, by `walking`.
"""

import math
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

# When to ask, as shares of a run. On digits, spellers trained on shuffled targets gained 0.0000 nats per token at 15 %,
# sound ones still in their warm-up 0.014 (seven standard errors) and 0.2 at 40 %, where attention had not aligned yet.
LISTENS_FROM, MIN_GAIN, MIN_ERRORS = 0.15, 0.003, 3.0
ALIGNS_FROM, ALIGNED_BELOW_WER = 0.6, 0.5

ADVICE = (
    "give CTC more weight (0.3), train on short utterances first, use location-aware attention, "
    "switch SpecAugment on only after warm-up, or train for more steps"
)


@dataclass(frozen=True, slots=True)
class Attended:
    """How one utterance was attended to: numbers alone, so that processes can tell each other.

    Attributes:
        n_steps: Steps of attention from one token to the next.
        n_forward: Of each head, those that do not move back, by more than half a token's share of the audio.
        coverage: Of each head, how much of the utterance the attended positions span.
        entropy: Of each head, the mean entropy of the attention over its maximum.
        loops: Whether the hypothesis repeats itself as the reference does not.
        n_hypothesis: Tokens of the hypothesis.
        n_reference: Tokens of the reference.
        gain: How much likelier the reference is with its own recording than with another's, in nats; None where there
            was no other.
    """

    n_steps: int
    n_forward: list[int]
    coverage: list[float]
    entropy: list[float]
    loops: bool
    n_hypothesis: int
    n_reference: int
    gain: float | None = None


def attended(
    weights: np.ndarray, hypothesis: Sequence[int], reference: Sequence[int], gain: float | None = None
) -> Attended:
    """Measures one utterance.

    Args:
        weights: (U, H, S), attention of each head over its own states, padding cut off; from teacher forcing or from
            decoding. Fewer than two tokens say nothing.
        hypothesis: Token ids as decoded without the reference's help, special ids left out.
        reference: Token ids of the reference.
        gain: As in `Attended`.
    """
    heads = np.asarray(weights, dtype=np.float64).transpose(1, 0, 2) if len(weights) >= 2 else ()
    walks = [_measure(head) for head in heads]
    return Attended(
        n_steps=max(len(weights) - 1, 0),
        n_forward=[n_forward for n_forward, _, _ in walks],
        coverage=[coverage for _, coverage, _ in walks],
        entropy=[entropy for _, _, entropy in walks],
        loops=has_loop(hypothesis) and not has_loop(reference),
        n_hypothesis=len(hypothesis),
        n_reference=len(reference),
        gain=gain,
    )


@dataclass(frozen=True, slots=True)
class AlignmentHealth:
    """How well attention aligns over a set of utterances, in the first three figures by the head that aligns best.

    Attributes:
        monotonicity: Share of steps on which attention does not move back, by more than half a token's share of the
            audio.
        coverage: How much of the utterance the attended positions span (90 % of them; 1 is an even walk).
        entropy: Mean entropy of the attention over its maximum: 0 on one state, 1 evenly on all.
        loop_share: Share of hypotheses with a run of repeated tokens that their references do not have.
        length_ratio: Tokens of all free-running hypotheses over tokens of all references.
        listening_gain: Nats per token by which references are likelier with their own recordings than with others'.
        listening_error: Its standard error over the utterances; infinite where it could not be measured.
    """

    monotonicity: float
    coverage: float
    entropy: float
    loop_share: float
    length_ratio: float
    listening_gain: float
    listening_error: float

    def verdict(self, run_share: float = 1.0, wer: float = 1.0, forward: bool = True) -> str | None:
        """None when healthy, else an alarm that names what is wrong and what to do.

        Args:
            run_share: How much of the training run is over: a speller listens early, aligns later, if it ever does.
            wer: Word error rate of greedy decoding; whoever gets most words right listens at the right places.
            forward: Whether what is written follows what is heard in order; a translation need not.
        """
        faults = []
        if (
            run_share >= LISTENS_FROM
            and self.listening_gain < max(MIN_GAIN, MIN_ERRORS * self.listening_error) < math.inf
        ):
            faults.append(
                "the speller does not listen: a transcript is no likelier with its own recording than with another's "
                f"({self.listening_gain:+.3f} nats per token, standard error {self.listening_error:.3f}); do texts and "
                "recordings belong together"
            )
        if run_share >= ALIGNS_FROM and wer > ALIGNED_BELOW_WER:
            faults += self._faults(forward)
        return f"{'; '.join(faults)}. To mend it: {ADVICE}" if faults else None

    def _faults(self, forward: bool) -> list[str]:
        shortest, longest = LENGTH_RATIOS
        align = "attention has not learnt to align"
        end = "decoding does not end where it should"
        checks = (
            (self.coverage >= MIN_COVERAGE, f"{align}: it spans {self.coverage:.0%} of the audio"),
            (
                self.monotonicity >= MIN_MONOTONICITY or not forward,
                f"{align}: {1 - self.monotonicity:.0%} of its steps go back",
            ),
            (self.entropy <= MAX_ENTROPY, f"{align}: its entropy is {self.entropy:.0%} of the greatest there is"),
            (self.loop_share <= MAX_LOOP_SHARE, f"{end}: {self.loop_share:.0%} of the hypotheses run in a loop"),
            (
                shortest <= self.length_ratio <= longest,
                f"{end}: hypotheses have {self.length_ratio:.2f} times the tokens of their references",
            ),
        )
        return [fault for is_healthy, fault in checks if not is_healthy]


def alignment_health(utterances: Sequence[Attended]) -> AlignmentHealth:
    """Sums up a set of utterances, dev or a part of it."""
    walks = [each for each in utterances if each.n_steps]
    n_tokens = sum(each.n_reference for each in utterances)
    gain, error = _listening(utterances)
    monotonicity, coverage, entropy = _best_head(walks) if walks else (1.0, 1.0, 0.0)
    return AlignmentHealth(
        monotonicity=monotonicity,
        coverage=coverage,
        entropy=entropy,
        loop_share=sum(each.loops for each in utterances) / max(len(utterances), 1),
        length_ratio=sum(each.n_hypothesis for each in utterances) / n_tokens if n_tokens else 1.0,
        listening_gain=gain,
        listening_error=error,
    )


def _best_head(walks: Sequence[Attended]) -> tuple[float, float, float]:
    """Monotonicity, coverage and entropy over a set, of the head that walks best."""
    n_steps = sum(each.n_steps for each in walks)
    heads = zip(
        np.sum([each.n_forward for each in walks], axis=0) / n_steps,
        np.mean([each.coverage for each in walks], axis=0),
        np.mean([each.entropy for each in walks], axis=0),
        strict=True,
    )
    return max(((float(m), float(c), float(e)) for m, c, e in heads), key=lambda head: walking(*head))


def walking(monotonicity: float, coverage: float, entropy: float) -> tuple[float, float]:
    """What to rank heads by, the greater the better: how near the worst figure is to passing, then all of them."""
    worst = min(monotonicity / MIN_MONOTONICITY, coverage / MIN_COVERAGE, (1.0 - entropy) / (1.0 - MAX_ENTROPY))
    return min(worst, 1.0), monotonicity * coverage * (1.0 - entropy)


def _listening(utterances: Sequence[Attended]) -> tuple[float, float]:
    """Gain per token (ends included) over the set, and its standard error as a ratio of sums."""
    pairs = [(each.gain, each.n_reference + 1) for each in utterances if each.gain is not None]
    if len(pairs) < 2:
        return 0.0, math.inf
    gains, n_tokens = (np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True))
    ratio = gains.sum() / n_tokens.sum()
    spread = np.square(gains - ratio * n_tokens).sum() * len(pairs) / (len(pairs) - 1)
    return float(ratio), float(np.sqrt(spread) / n_tokens.sum())


def has_loop(tokens: Sequence[int]) -> bool:
    """Tells whether some run of 1 to 16 tokens stands four times in a row."""
    return find_loop(tokens) is not None


def find_loop(tokens: Sequence[int]) -> tuple[int, int] | None:
    """Finds a run of 1 to 16 tokens that stands four times in a row: where the first begins and the fourth ends."""
    for n_unit in range(1, min(MAX_LOOP_TOKENS, len(tokens) // LOOP_REPEATS) + 1):
        n_same = 0
        for place, token in enumerate(tokens[n_unit:], n_unit):
            n_same = n_same + 1 if token == tokens[place - n_unit] else 0
            if n_same == n_unit * (LOOP_REPEATS - 1):
                return place + 1 - n_unit * LOOP_REPEATS, place + 1
    return None


def _measure(weights: np.ndarray) -> tuple[int, float, float]:
    """Steps not backwards, coverage and entropy of one head on one utterance, from weights (U, S)."""
    n_tokens, n_states = weights.shape
    if not np.isfinite(weights).all():
        return 0, 0.0, 1.0
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    positions = weights @ np.arange(n_states)
    n_forward = int((np.diff(positions) >= -0.5 * n_states / n_tokens).sum())
    low, high = np.quantile(positions, [0.05, 0.95])
    even_walk = 0.9 * n_states * (1 - 1 / n_tokens)
    logs = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
    entropy = -(weights * logs).sum(axis=1).mean() / np.log(n_states) if n_states > 1 else 0.0
    return n_forward, float(min((high - low) / even_walk, 1.0)), float(entropy)
