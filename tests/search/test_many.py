"""Spelling in spans against spelling step by step: the same text from any draft, in fewer passes from a good one."""

import functools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from asr.models.attention.additive import AdditiveAttention
from asr.models.spellers.parallel_lstm import ParallelLstmSpeller
from asr.models.spellers.transformer import TransformerSpeller
from asr.search.choice import NOISE
from asr.search.greedy import greedy_search
from asr.search.speculate import PATIENCE, PAYS, Written, spell_by_spans, spell_by_steps
from tests.search.fakes import EOS, SOS, FakeModel, FakeSpeller, FakeState, collate

SEEDS = st.integers(0, 99_999)
LENS = st.lists(st.integers(1, 24), min_size=1, max_size=4)


class NoisySpeller(FakeSpeller):
    """Its log-probabilities change with the shapes of what is computed together, as products of matrices do."""

    spells_at_once = True

    def __init__(self, table: Tensor) -> None:
        super().__init__(table)
        self.n_calls = 0
        self.spread = float(table.max() - table.min())

    def step(self, tokens: Tensor, state: FakeState, memory: Any, look: bool = False) -> tuple[Tensor, Tensor, Any]:
        self.n_calls += 1
        log_probs, weights, state = super().step(tokens, state, memory)
        return self.blur(log_probs, f"step {tuple(tokens.shape)} {memory.states.shape[1]}"), weights, state

    def spell(self, tokens: Tensor, memory: Any) -> Tensor:
        self.n_calls += 1
        state, found = self.start(memory, tokens.shape[1]), []
        for last in tokens.unbind(-1):
            log_probs, _, state = FakeSpeller.step(self, last, state, memory)
            found.append(log_probs)
        return self.blur(torch.stack(found, 2), f"spell {tuple(tokens.shape)} {memory.states.shape[1]}")

    def blur(self, log_probs: Tensor, key: str) -> Tensor:
        seed = sum(ord(char) * 31**place for place, char in enumerate(key)) % 2**31
        noise = torch.rand(log_probs.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 0.5
        return log_probs + 0.4 * NOISE * noise


def noisy(seed: int, n_tokens: int, ties: bool) -> FakeModel:
    model = FakeModel(n_tokens, seed)
    table = model.speller.table
    if ties:  # whole numbers: a third of the choices are ties, which noise decides
        table = (table * 1.5).round().log_softmax(-1)
    model.speller = NoisySpeller(table)
    return model


def draft_of(kind: str, truth: list[int], n_tokens: int, generator: torch.Generator) -> list[int]:
    """A draft: nothing, the truth, the truth but for an edit in five, chance, or wrong everywhere."""

    def drawn(high: int) -> int:
        return int(torch.randint(high, (), generator=generator))

    token = functools.partial(drawn, n_tokens)
    if kind == "edited":
        edits = {0: lambda t: [], 1: lambda t: [token()], 2: lambda t: [token(), t]}
        return [new for t in truth for new in edits.get(drawn(15), lambda t: [t])(t)]
    drafts = {
        "none": [],
        "perfect": truth,
        "random": [token() for _ in range(drawn(30))],
        "adversarial": [4 + (t + 1) % (n_tokens - 4) for t in truth] * 2,
    }
    return drafts[kind]


def padded(drafts: list[list[int]]) -> tuple[Tensor, Tensor]:
    lens = torch.tensor([len(draft) for draft in drafts])
    rows = torch.full((len(drafts), int(lens.max())), 4)
    for row, draft in zip(rows, drafts, strict=True):
        row[: len(draft)] = torch.tensor(draft, dtype=torch.int64)
    return rows, lens


def text(written: Written, b: int) -> list[int]:
    return written.tokens[b, : int(written.lens[b])].tolist()


@pytest.mark.parametrize("kind", ["none", "perfect", "edited", "random", "adversarial"])
@settings(max_examples=1500, deadline=None)
@given(SEEDS, LENS, st.integers(0, 3), st.booleans())
def test_any_draft_in_any_batch_gives_the_text_of_steps(
    kind: str, seed: int, lens: list[int], extra: int, ties: bool
) -> None:
    model = noisy(seed, 8, ties)
    states, state_lens = collate([model.utterance(n) for n in lens], extra)
    steps = spell_by_steps(model.speller, states, state_lens, state_lens)
    generator = torch.Generator().manual_seed(seed)
    drafts = padded([draft_of(kind, text(steps, b), 8, generator) for b in range(len(lens))])
    spans = spell_by_spans(model.speller, states, state_lens, state_lens, *drafts)
    for b, n in enumerate(lens):
        alone = spell_by_steps(model.speller, states[b : b + 1, :n], state_lens[b : b + 1], state_lens[b : b + 1])
        assert text(alone, 0) == text(steps, b)
        if spans.lens[b] >= 0:
            assert text(spans, b) == text(steps, b)
            found, expected = (each.gains[b, : steps.lens[b] + 1] for each in (spans, steps))
            torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)
        else:
            assert kind != "perfect" or ties


@settings(max_examples=50, deadline=None)
@given(SEEDS, LENS, st.booleans())
def test_greedy_search_is_that_of_steps_and_of_each_alone(seed: int, lens: list[int], ties: bool) -> None:
    model = noisy(seed, 8, ties)
    model.ctc_head = True
    utterances = [model.utterance(n) for n in lens]
    states, state_lens = collate(utterances, 2)
    found = greedy_search(model, states, state_lens)
    steps = spell_by_steps(model.speller, states, state_lens, state_lens)
    for b, hypothesis in enumerate(found):
        assert list(hypothesis.tokens) == text(steps, b)
        assert hypothesis.tokens == greedy_search(model, *collate([utterances[b]]))[0].tokens
        assert hypothesis.finish == ("max_length" if len(hypothesis.tokens) == lens[b] else "eos")


def one_long(seed: int) -> tuple[FakeModel, Tensor, Tensor, list[int]]:
    """An utterance of 40 tokens, without ties."""
    model = noisy(seed, 60, ties=False)
    model.speller.table[:, EOS] = -60.0
    batch = collate([model.utterance(40)])
    truth = text(spell_by_steps(model.speller, *batch, batch[1]), 0)
    model.speller.n_calls = 0
    return model, *batch, truth


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("edit", "n_passes"),
    [
        (lambda truth: truth, 1),
        (lambda truth: [*truth[:20], 4 + (truth[20] - 3) % 56, *truth[21:]], 2),  # another token
        (lambda truth: [*truth[:20], *truth[21:]], 3),  # one is missing
        (lambda truth: [*truth[:20], 4 + (truth[20] - 3) % 56, *truth[20:]], 3),  # one too many
    ],
)
def test_passes_are_few_where_drafts_are_good(seed: int, edit: Any, n_passes: int) -> None:
    model, states, lens, truth = one_long(seed)
    spans = spell_by_spans(model.speller, states, lens, lens, *padded([edit(truth)]))
    assert text(spans, 0) == truth
    assert model.speller.n_calls <= n_passes


def test_bad_drafts_are_given_up() -> None:
    model, states, lens, truth = one_long(0)
    spans = spell_by_spans(model.speller, states, lens, lens, *padded([[]]))
    assert spans.lens.tolist() == [-1]
    assert model.speller.n_calls <= PATIENCE * PAYS


MAKERS = {
    "transformer": lambda: TransformerSpeller(20, 16, 24, 2, 4, 32, 0.0),
    "parallel": lambda: ParallelLstmSpeller(AdditiveAttention(24, 16, 16), 20, 12, 24, 2, 0.0),
}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("seed", range(3))
@torch.inference_mode()
def test_spellers_are_as_quiet_as_supposed(kind: str, seed: int) -> None:
    """Steps, spans, batches of 1 and 16, at usual and at great weights: a tenth of the noise reckoned with."""
    torch.manual_seed(seed)
    speller = MAKERS[kind]().eval()
    for factor in (1, 25):
        speller.to_logits.weight.mul_(factor)
        states, lens = torch.randn(16, 40, 16), torch.full((16,), 40)
        tokens = torch.randint(4, 20, (16, 30))
        tokens[:, 0] = SOS
        memory = speller.memory(states, lens)
        spans = speller.spell(tokens[:, None], memory)[:, 0].log_softmax(-1)
        state, steps = speller.start(memory, 1), []
        for last in tokens.unbind(-1):
            log_probs, _, state = speller.step(last[:, None], state, memory)
            steps.append(log_probs[:, 0])
        alone = speller.spell(tokens[3:4, None, :17], speller.memory(states[3:4], lens[3:4]))[0, 0].log_softmax(-1)
        spread = (spans.amax(-1) - spans.amin(-1)).clamp(min=1.0)
        worst = [(torch.stack(steps, 1) - spans).abs().amax(-1) / spread, (alone - spans[3, :17]).abs().amax(-1)]
        worst[1] /= spread[3, :17]
        assert max(float(each.max()) for each in worst) < 0.1 * NOISE
