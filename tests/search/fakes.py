"""A small random model with the real interface: exact, so that batches can be compared bit for bit."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

BLANK, UNK, SOS, EOS = range(4)
N_ROWS = 997


@dataclass(frozen=True)
class FakeMemory:
    states: Tensor
    seeds: Tensor


@dataclass(frozen=True)
class FakeState:
    rows: Tensor

    def select(self, index: Tensor) -> "FakeState":
        return FakeState(self.rows.gather(1, index))


class FakeSpeller:
    """A language model that looks its log-probabilities up by a hash of utterance and history."""

    spells_at_once = False

    def __init__(self, table: Tensor) -> None:
        self.table = table

    def memory(self, states: Tensor, state_lens: Tensor) -> FakeMemory:
        seeds = (states[:, 0].double().abs().sum(-1) * 1e6).long() + state_lens
        return FakeMemory(states, seeds % N_ROWS)

    def start(self, memory: FakeMemory, width: int) -> FakeState:
        return FakeState(memory.seeds[:, None].expand(-1, width))

    def step(
        self, tokens: Tensor, state: FakeState, memory: FakeMemory, look: bool = False
    ) -> tuple[Tensor, Tensor, FakeState]:
        assert tokens.shape == state.rows.shape
        rows = (state.rows * 31 + tokens * 17 + 5) % N_ROWS
        weights = torch.zeros(*rows.shape, 1, memory.states.shape[1])
        return self.table[rows], weights, FakeState(rows)

    def spell(self, tokens: Tensor, memory: FakeMemory) -> Tensor:
        state, log_probs = self.start(memory, tokens.shape[1]), []
        for last in tokens.unbind(-1):
            found, _, state = self.step(last, state, memory)
            log_probs.append(found)
        return torch.stack(log_probs, 2)


class FakeModel:
    """States are CTC's log-probabilities themselves."""

    def __init__(self, n_tokens: int, seed: int, sharpness: float = 2.0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.n_tokens = n_tokens
        logits = torch.randn(N_ROWS, n_tokens, generator=generator, dtype=torch.float64)
        self.speller = FakeSpeller((logits * sharpness).log_softmax(-1))
        self._generator = generator
        self._sharpness = sharpness

    def utterance(self, n_states: int) -> Tensor:
        """States (S, V) of a new utterance."""
        logits = torch.randn(n_states, self.n_tokens, generator=self._generator, dtype=torch.float64)
        return (logits * self._sharpness).log_softmax(-1)

    def ctc_log_probs(self, states: Tensor) -> Tensor:
        return states


def collate(utterances: Sequence[Tensor], extra: int = 0) -> tuple[Tensor, Tensor]:
    """Pads with NaN: states (B, S, V) and state_lens (B,)."""
    lens = torch.tensor([len(states) for states in utterances])
    batch = torch.full((len(utterances), int(lens.max()) + extra, utterances[0].shape[-1]), torch.nan)
    batch = batch.to(utterances[0].dtype)
    for row, states in zip(batch, utterances, strict=True):
        row[: len(states)] = states
    return batch, lens


def ctc_distribution(log_probs: Tensor) -> dict[tuple[int, ...], float]:
    """Probability of every transcript: the sum over all paths of log_probs (S, V), one by one."""
    probs = log_probs.double().exp().tolist()
    sums: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(probs)):
        transcript = tuple(token for token, _ in itertools.groupby(path) if token != BLANK)
        probability = math.prod(row[token] for row, token in zip(probs, path, strict=True))
        sums[transcript] = sums.get(transcript, 0.0) + probability
    return sums


def log(probability: float) -> float:
    return math.log(probability) if probability > 0 else -math.inf


def prefix_score(distribution: dict[tuple[int, ...], float], prefix: tuple[int, ...]) -> float:
    return log(math.fsum(p for transcript, p in distribution.items() if transcript[: len(prefix)] == prefix))


def transcripts(tokens: Sequence[int], max_length: int) -> Iterator[tuple[int, ...]]:
    """All transcripts of at most `max_length` tokens."""
    for length in range(max_length + 1):
        yield from itertools.product(tokens, repeat=length)
