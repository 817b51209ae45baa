"""What must hold for any model: each law looks at many random models at once and counts those for which it fails.

Every utterance is a model of its own: CTC's log-probabilities are its states, the speller's are drawn from a hash of
utterance and history. `scripts/prove_search` asks thousands of them.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from asr.models.masks import length_mask
from asr.search.beam import SearchSettings, beam_search
from asr.search.greedy import greedy_search
from asr.search.hypothesis import Hypothesis
from asr.search.scorers import OtherScorer
from tests.search.fakes import BLANK, EOS, SOS, UNK, collate

TOKENS = (UNK, 4, 5)  # what there is to write in a vocabulary of six
GOLDEN = -7046029254386353131  # 2**64 by the golden ratio: far from every pattern
NEVER = math.inf  # a threshold that never stops a hypothesis from ending


def mixed(numbers: Tensor) -> Tensor:
    """A number like a random one for each int64 (the finalizer of SplitMix64, Steele et al. 2014)."""
    numbers = (numbers ^ (numbers >> 30)) * -4658895280553007687
    numbers = (numbers ^ (numbers >> 27)) * -7723592293110705685
    return numbers ^ (numbers >> 31)


def uniform(numbers: Tensor) -> Tensor:
    """Between 0 and 1, float64."""
    return ((mixed(numbers) & ((1 << 52) - 1)).double() + 0.5) / (1 << 52)


@dataclass(frozen=True)
class Hashes:
    """The speller's state: a hash of each hypothesis, (B, W) int64."""

    numbers: Tensor

    def select(self, index: Tensor) -> "Hashes":
        return Hashes(self.numbers.gather(1, index))


class HashMemory(NamedTuple):
    """An utterance's number (B,), its states and how many there are in the batch."""

    numbers: Tensor
    lens: Tensor
    n_states: int


class HashSpeller:
    """Draws its logits and where it looks from the history, its sharpness from the utterance."""

    spells_at_once = False

    def __init__(self, n_tokens: int) -> None:
        self.n_tokens = n_tokens

    def memory(self, states: Tensor, state_lens: Tensor) -> HashMemory:
        numbers = mixed((states[:, 0].double() * 1e9).long().sum(-1) + state_lens)
        return HashMemory(numbers, state_lens, states.shape[1])

    def start(self, memory: HashMemory, width: int) -> Hashes:
        return Hashes(memory.numbers[:, None].expand(-1, width))

    def step(
        self, tokens: Tensor, state: Hashes, memory: HashMemory, look: bool = False
    ) -> tuple[Tensor, Tensor | None, Hashes]:
        numbers = mixed(state.numbers + (tokens + 1) * GOLDEN)
        sharpness = 0.3 + 4 * uniform(memory.numbers + 1)
        log_probs = (drawn_from(numbers, self.n_tokens) * sharpness[:, None, None]).log_softmax(-1)
        if not look:
            return log_probs, None, Hashes(numbers)
        energies = 3 * drawn_from(torch.stack([numbers + 1, numbers + 2], -1), memory.n_states)  # of two heads
        mask = length_mask(memory.lens, memory.n_states)[:, None, None]
        return log_probs, energies.masked_fill(~mask, -torch.inf).softmax(-1), Hashes(numbers)


def drawn_from(numbers: Tensor, n: int) -> Tensor:
    """Of each number n others, more or less from a normal distribution: (...) -> (..., n)."""
    return torch.erfinv(2 * uniform(numbers[..., None] + torch.arange(1, n + 1) * GOLDEN) - 1)


class Models:
    """As many random models as utterances."""

    def __init__(self, n_tokens: int) -> None:
        self.speller = HashSpeller(n_tokens)

    def ctc_log_probs(self, states: Tensor) -> Tensor:
        return states


def drawn(seed: int, n_models: int, n_tokens: int, least: int, most: int) -> list[Tensor]:
    """States (S, V) of utterances of `least` to `most` states."""
    generator = torch.Generator().manual_seed(seed)
    lens = torch.randint(least, most + 1, (n_models,), generator=generator).tolist()
    sharpness = torch.rand(n_models, generator=generator, dtype=torch.float64) * 4 + 0.3
    logits = torch.randn(n_models, most, n_tokens, generator=generator, dtype=torch.float64)
    rows = (logits * sharpness[:, None, None]).log_softmax(-1)
    return [row[:n] for row, n in zip(rows, lens, strict=True)]


def some_settings(seed: int, beam_size: int, n_best: int) -> SearchSettings:
    """Of all kinds, in turn."""
    weights, bonuses, thresholds = (0.0, 0.3, 0.7, 1.0), (0.0, -1.0, 0.5, 3.0), (1.5, NEVER, 0.8)
    ctc, bonus, threshold = weights[seed % 4], bonuses[seed // 4 % 4], thresholds[seed % 3]
    return SearchSettings(beam_size, ctc, bonus, threshold, 1.0, n_best, coverage_bonus=(0.0, 0.7)[seed // 2 % 2])


def differ(found: Hypothesis, other: Hypothesis) -> bool:
    """Whether two are not the same transcript, with the same score."""
    return found.tokens != other.tokens or abs(found.score - other.score) > 1e-9


def n_that_differ(found: list[list[Hypothesis]], others: list[list[Hypothesis]]) -> int:
    """Models whose n-best lists are not the same."""
    return sum(
        len(mine) != len(theirs) or any(map(differ, mine, theirs)) for mine, theirs in zip(found, others, strict=True)
    )


def transcript_probabilities(states: Tensor) -> dict[tuple[int, ...], Tensor]:
    """CTC's probability of each transcript, (B,): the sum over all paths through states (B, S, V), one by one."""
    sums: dict[tuple[int, ...], Tensor] = {}
    columns = states.exp().unbind(1)
    for path in itertools.product(range(states.shape[2]), repeat=states.shape[1]):
        transcript = tuple(token for token, _ in itertools.groupby(path) if token != BLANK)
        probability = math.prod(column[:, token] for column, token in zip(columns, path, strict=True))
        sums[transcript] = sums.get(transcript, 0.0) + probability
    return sums


def exhaustive(states: Tensor, lens: Tensor, search: SearchSettings) -> list[list[tuple[float, tuple[int, ...]]]]:
    """Scores every transcript from definitions: for each model those that may be, best first."""
    ctc = transcript_probabilities(states)
    spellable = {transcript[:n] for transcript in ctc for n in range(len(transcript) + 1)}
    speller, longest, weight = HashSpeller(states.shape[2]), states.shape[1], search.ctc_weight
    memory = speller.memory(states, lens)
    level = {(): (torch.zeros(len(states)).double(), torch.zeros(states.shape[:2]), speller.start(memory, 1), SOS)}
    columns, names = [], []
    for n_tokens in range(longest + 1):
        after = {}
        for tokens, (total, looked, state, last) in level.items():
            rows, weights, state = speller.step(torch.full((len(states), 1), last), state, memory, look=True)
            rows, looked = rows[:, 0], looked + weights[:, 0].mean(1)
            may_end = rows[:, EOS] > search.eos_threshold * rows[:, TOKENS].amax(-1)
            if n_tokens == longest or (weight > 0 and not any((*tokens, token) in spellable for token in TOKENS)):
                may_end[:] = True
            share = weight * ctc[tokens].log() if weight > 0 and tokens in ctc else 0.0
            score = (1 - weight) * (total + rows[:, EOS]) + share + search.length_bonus * n_tokens
            score = score + search.coverage_bonus * (looked > 0.5).sum(-1).double()
            columns.append(score.masked_fill(~may_end | torch.tensor(weight > 0 and tokens not in ctc), -torch.inf))
            names.append(tokens)
            for token in TOKENS:
                after[(*tokens, token)] = (total + rows[:, token], looked, state, token)
        level = after
    scores, order = torch.stack(columns, -1).sort(dim=-1, descending=True)
    return [
        [(score, names[index]) for score, index in zip(row, places, strict=True) if score > -math.inf]
        for row, places in zip(scores.tolist(), order.tolist(), strict=True)
    ]


def a_wide_beam_is_exhaustive(seed: int, n_models: int) -> int:
    """It finds what scoring every transcript by brute force finds, CTC by its sum over all paths."""
    n_states = 1 + seed % 3
    batch = collate(drawn(seed, n_models, 6, n_states, n_states))
    search = some_settings(seed, beam_size=60, n_best=8)
    failed = 0
    for found, truth in zip(beam_search(Models(6), *batch, search), exhaustive(*batch, search), strict=True):
        failed += [h.tokens for h in found] != [tokens for _, tokens in truth[:8]] or any(
            abs(h.score - score) > 1e-9 for h, (score, _) in zip(found, truth, strict=False)
        )
    return failed


def beam_one_is_greedy(seed: int, n_models: int) -> int:
    """Attention alone, and an end wherever it is best."""
    batch = collate(drawn(seed, n_models, 9, 1, 12))
    found = beam_search(Models(9), *batch, SearchSettings(1, 0.0, 0.0, NEVER))
    return sum(n_best != [greedy] for n_best, greedy in zip(found, greedy_search(Models(9), *batch), strict=True))


def no_beam_beats_the_truth(seed: int, n_models: int) -> int:
    """No beam scores better than the best of all transcripts, which a wide enough one finds: that is never worse."""
    batch = collate(drawn(seed, n_models, 6, 3, 3))
    search = some_settings(seed, beam_size=60, n_best=1)
    best = beam_search(Models(6), *batch, search)
    failed = [False] * n_models
    for beam_size in (1, 2, 4, 8):
        for b, (found, truth) in enumerate(
            zip(beam_search(Models(6), *batch, replace(search, beam_size=beam_size)), best, strict=True)
        ):
            failed[b] |= found[0].score > truth[0].score + 1e-9
    return sum(failed)


def a_larger_beam_is_never_worse(seed: int, n_models: int) -> int:
    """Each beam from 1 to 12 finds what scores as well as what the one before it found."""
    batch = collate(drawn(seed, n_models, 12, 4, 12))
    search = some_settings(seed, beam_size=12, n_best=1)
    found = [beam_search(Models(12), *batch, replace(search, beam_size=size)) for size in range(1, 13)]
    scores = torch.tensor([[n_best[0].score for n_best in each] for each in found])
    return int((scores.diff(dim=0) < -1e-9).any(0).sum())


class Nothing:
    """A scorer that adds nothing."""

    def start(self, width: int) -> None:
        pass

    def score(self, candidates: Tensor) -> Tensor:
        return torch.zeros(candidates.shape, dtype=torch.float64)

    def select(self, parents: Tensor, tokens: Tensor) -> None:
        pass


def it_stops_only_when_nothing_can_win(seed: int, n_models: int) -> int:
    """A search that another scorer, which might still add a million to any hypothesis, keeps from ever stopping."""
    batch = collate(drawn(seed, n_models, 9, 1, 12))
    search = some_settings(seed, beam_size=4, n_best=1 + seed % 3)
    endless = OtherScorer("nothing", 1.0, lambda states, lens: Nothing(), most=1e6)
    return n_that_differ(beam_search(Models(9), *batch, search), beam_search(Models(9), *batch, search, [endless]))


def weight_zero_is_absent(seed: int, n_models: int) -> int:
    """Scorers of weight 0 are never made, and the speller is not asked to look."""
    batch = collate(drawn(seed, n_models, 9, 1, 10))
    search = replace(some_settings(seed, beam_size=4, n_best=2), ctc_weight=0.0, coverage_bonus=0.0)
    model = Models(9)
    absent = OtherScorer("absent", 0.0, lambda states, lens: None)
    expected = beam_search(model, *batch, search)
    assert set(expected[0][0].scores) == {"attention", "length"}
    model.ctc_log_probs = None  # calling it would raise
    return n_that_differ(beam_search(model, *batch, search, [absent]), expected)


def the_batch_changes_nothing(seed: int, n_models: int) -> int:
    """Batches of 1, 2, 8 and 32, sorted or shuffled, against all at once."""
    utterances = drawn(seed, n_models, 9, 1, 10)
    search = some_settings(seed, beam_size=5, n_best=2)
    together = beam_search(Models(9), *collate(utterances, extra=3), search)
    generator, failed = torch.Generator().manual_seed(seed), [0] * n_models
    by_length = sorted(range(n_models), key=lambda b: len(utterances[b]))
    for size in (1, 2, 8, 32):
        for order in (by_length, torch.randperm(n_models, generator=generator).tolist()):
            for start in range(0, n_models, size):
                places = order[start : start + size]
                found = beam_search(Models(9), *collate([utterances[b] for b in places]), search)
                for b, n_best in zip(places, found, strict=True):
                    failed[b] |= n_that_differ([n_best], [together[b]])
    return sum(failed)


LAWS: dict[str, Callable[[int, int], int]] = {
    law.__name__: law
    for law in (
        a_wide_beam_is_exhaustive,
        beam_one_is_greedy,
        no_beam_beats_the_truth,
        a_larger_beam_is_never_worse,
        it_stops_only_when_nothing_can_win,
        weight_zero_is_absent,
        the_batch_changes_nothing,
    )
}
"""What holds for every model: a count of exceptions by seed and number of models."""
