"""What every attention of a recurrent speller promises, with one head and with several."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from asr.models.attention.additive import AdditiveAttention, CoverageAttention, LocationAttention
from asr.models.attention.dot import DotAttention, ScaledDotAttention
from asr.models.attention.gmm import GmmAttention
from asr.models.attention.monotonic import MochaAttention, MonotonicAttention

D_QUERY, D_STATES, D_ATTENTION = 3, 4, 6
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "dot": (DotAttention, {}),
    "scaled_dot": (ScaledDotAttention, {}),
    "additive": (AdditiveAttention, {}),
    "location": (LocationAttention, {"n_filters": 2, "filter_width": 3}),
    "coverage": (CoverageAttention, {}),
    "gmm": (GmmAttention, {"n_components": 2, "initial_step": 1.0, "initial_width": 1.5}),
    "monotonic": (MonotonicAttention, {"initial_step": 1.0, "noise": 1.0}),
    "mocha": (MochaAttention, {"chunk_width": 3, "initial_step": 1.0, "noise": 1.0}),
}


@pytest.fixture(params=[(kind, n_heads) for kind in KINDS for n_heads in (1, 2)], ids=lambda p: f"{p[0]}-{p[1]}")
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


def make(kind: tuple[str, int]) -> Any:
    torch.manual_seed(0)
    name, n_heads = kind
    attention = KINDS[name][0](D_QUERY, D_STATES, D_ATTENTION, **KINDS[name][1], n_heads=n_heads).eval()
    for parameter in attention.parameters():  # far from where nothing depends on anything
        parameter.data += 0.3 * torch.randn_like(parameter)
    return attention


def attend(attention: Any, queries: Tensor, states: Tensor, lens: Tensor) -> tuple[Tensor, Tensor]:
    """Contexts (B, W, U, D) and weights (B, W, U, H, S) of successive queries (B, W, U, d_query)."""
    memory = attention.memory(states, lens)
    state = attention.start(memory, queries.shape[1])
    found = []
    for query in queries.unbind(2):
        context, weights, state = attention(query, state, memory)
        found.append((context, weights))
    contexts, weights = zip(*found, strict=True)
    return torch.stack(contexts, 2), torch.stack(weights, 2)


def test_weights_are_shares_of_what_is_real(kind: Any) -> None:
    attention, lens = make(kind), torch.tensor([9, 5, 1])
    contexts, weights = attend(attention, torch.randn(3, 2, 4, D_QUERY), torch.randn(3, 9, D_STATES), lens)
    assert contexts.shape == (3, 2, 4, attention.d_context)
    assert weights.shape == (3, 2, 4, len(attention.head_names), 9)
    assert len(attention.head_names) == kind[1]
    assert weights.ge(0).all()
    for b, n in enumerate(lens.tolist()):
        assert weights[b, ..., n:].eq(0).all()
    sums = weights.sum(-1)
    if kind[0] == "gmm":  # a density, read at states
        assert sums.le(1.02).all()
        assert sums[0].max() > 0.1
    else:
        torch.testing.assert_close(sums, torch.ones_like(sums))


def test_one_head_sums_states_and_several_sum_projections(kind: Any) -> None:
    attention, states, lens = make(kind), torch.randn(2, 5, D_STATES), torch.tensor([5, 3])
    contexts, weights = attend(attention, torch.randn(2, 2, 3, D_QUERY), states, lens)
    for b in range(2):
        for w in range(2):
            for u in range(3):
                summed = weights[b, w, u] @ states[b]
                if kind[1] == 1:
                    expected = summed[0]
                else:
                    heads = attention.to_value.weight.view(2, D_ATTENTION // 2, D_STATES)
                    joined = torch.cat([head @ each for head, each in zip(heads, summed, strict=True)])
                    expected = attention.to_context.weight @ joined + attention.to_context.bias
                torch.testing.assert_close(contexts[b, w, u], expected, atol=1e-5, rtol=1e-5)


def test_neither_padding_nor_neighbours_matter(kind: Any) -> None:
    """Each hypothesis of each utterance gets what it gets alone; and nothing flows back into the padding."""
    attention, lens = make(kind), torch.tensor([9, 5])
    queries, states = torch.randn(2, 2, 4, D_QUERY), torch.randn(2, 9, D_STATES)
    states[1, 5:] = 1e4
    states.requires_grad_()
    contexts, weights = attend(attention, queries, states, lens)
    contexts.square().sum().backward()
    assert states.grad is not None
    assert states.grad[1, 5:].eq(0).all()
    assert states.grad[1, :5].ne(0).any(-1).all() or kind[0] in ("gmm", "monotonic", "mocha")
    for b, n in enumerate(lens.tolist()):
        for w in range(2):
            alone = attend(attention, queries[b : b + 1, w : w + 1], states[b : b + 1, :n], lens[b : b + 1])
            torch.testing.assert_close(contexts[b, w], alone[0][0, 0], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(weights[b, w, ..., :n], alone[1][0, 0], atol=1e-5, rtol=1e-5)


def test_gradients(kind: Any) -> None:
    """Through two steps, of queries and states, and of every parameter."""
    attention, lens = make(kind).double(), torch.tensor([4, 2])
    names = [name for name, _ in attention.named_parameters()]

    def run(queries: Tensor, states: Tensor, *parameters: Tensor) -> Tensor:
        given = dict(zip(names, parameters, strict=True))
        found = torch.func.functional_call(
            Attending(attention), {f"attention.{n}": p for n, p in given.items()}, (queries, states, lens)
        )
        return torch.cat([each.flatten() for each in found])

    inputs = [torch.randn(2, 1, 2, D_QUERY).double(), torch.randn(2, 4, D_STATES).double()]
    inputs += [parameter.detach() for parameter in attention.parameters()]
    assert torch.autograd.gradcheck(run, [each.requires_grad_() for each in inputs])


class Attending(torch.nn.Module):
    """Successive queries as one call."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, queries: Tensor, states: Tensor, lens: Tensor) -> tuple[Tensor, Tensor]:
        return attend(self.attention, queries, states, lens)


class Watch(TorchDispatchMode):
    """Keeps the types of what goes into the operations between projections and weights."""

    NAMES = ("masked_fill", "tanh", "softplus", "exp", "log_sigmoid_forward", "cumsum", "logcumsumexp", "_softmax")

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, set[torch.dtype]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.name().removeprefix("aten::").partition(".")[0]
        if name in self.NAMES:
            self.seen.setdefault(name, set()).add(args[0].dtype)
        return func(*args, **(kwargs or {}))


def test_energies_are_float32_under_bf16(kind: Any) -> None:
    """In bf16 the gradient of attention was wrong by a tenth."""
    attention, lens = make(kind), torch.tensor([7, 3])
    queries, states = torch.randn(2, 1, 3, D_QUERY), torch.randn(2, 7, D_STATES)
    _, expected = attend(attention, queries, states, lens)
    with torch.autocast("cpu", torch.bfloat16), Watch() as watch:
        contexts, weights = attend(attention, queries, states.bfloat16(), lens)
    assert weights.dtype == torch.float32
    assert "masked_fill" in watch.seen
    assert all(dtypes == {torch.float32} for dtypes in watch.seen.values()), watch.seen
    torch.testing.assert_close(weights, expected, atol=0.05, rtol=0)
    assert contexts.isfinite().all()


def test_heads_must_divide_the_width(kind: Any) -> None:
    cls, given = KINDS[kind[0]]
    with pytest.raises(ValueError, match="n_heads = 4"):
        cls(D_QUERY, D_STATES, D_ATTENTION, **given, n_heads=4)
