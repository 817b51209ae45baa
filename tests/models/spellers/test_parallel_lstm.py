"""The LSTM without input feeding against its equations, one number at a time, in float64."""

import torch
from torch import Tensor

from asr.models.attention.additive import AdditiveAttention
from asr.models.spellers.parallel_lstm import ParallelLstmSpeller


def literal_cell(lstm: torch.nn.LSTM, layer: int, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """i, f, o = σ(W x + U h + b); g = tanh(W x + U h + b); c' = f c + i g; h' = o tanh(c')."""
    w, u, b, b2 = (getattr(lstm, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    gates = [
        w[rows] @ x + u[rows] @ h + b[rows] + b2[rows]
        for rows in (slice(n * len(h), (n + 1) * len(h)) for n in range(4))
    ]
    i, f, o = (1 / (1 + (-gates[n]).exp()) for n in (0, 1, 3))
    c = f * c + i * gates[2].tanh()
    return o * c.tanh(), c


def test_matches_the_equations() -> None:
    torch.manual_seed(0)
    attention = AdditiveAttention(d_query=5, d_states=6, d_attention=4)
    speller = ParallelLstmSpeller(attention, n_tokens=9, d_embedding=3, d_hidden=5, n_layers=2, dropout=0.3)
    speller, compare = speller.double().eval(), attention.compare
    states, lens, tokens = torch.randn(2, 7, 6).double(), torch.tensor([7, 4]), torch.randint(0, 9, (2, 4))
    spelling = speller(tokens, speller.memory(states, lens))
    for b in range(2):
        heard = states[b, : lens[b]]
        h, c = [torch.zeros(5).double()] * 2, [torch.zeros(5).double()] * 2
        for u, token in enumerate(tokens[b].tolist()):
            x = speller.embedding.weight[token]
            for layer in range(2):
                h[layer], c[layer] = literal_cell(speller.lstm, layer, x, h[layer], c[layer])
                x = h[layer]
            energies = [
                compare.v[0]
                @ (compare.to_query.weight @ x + compare.to_key.weight @ state + compare.to_key.bias).tanh()
                for state in heard
            ]
            weights = torch.stack(energies).exp() / torch.stack(energies).exp().sum()
            context = sum(weight * state for weight, state in zip(weights, heard, strict=True))
            readout = (speller.to_readout.weight @ torch.cat([x, context]) + speller.to_readout.bias).tanh()
            logits = speller.to_logits.weight @ readout + speller.to_logits.bias
            torch.testing.assert_close(spelling.logits[b, u], logits, atol=1e-10, rtol=0)
            torch.testing.assert_close(spelling.weights[b, u, 0, : lens[b]], weights, atol=1e-10, rtol=0)
