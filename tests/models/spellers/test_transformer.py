"""The Transformer speller against its equations and against torch's own decoder layer, in float64."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from asr.models.spellers.transformer import TransformerLayer, TransformerSpeller

D, H, D_STATES, V = 8, 2, 6, 9


def make_speller(n_layers: int, d_states: int = D_STATES) -> TransformerSpeller:
    torch.manual_seed(0)
    speller = TransformerSpeller(V, d_states, d_model=D, n_layers=n_layers, n_heads=H, d_feed_forward=5, dropout=0.3)
    with torch.no_grad():  # gains and biases of their own
        for weights in speller.parameters():
            weights += 0.3 * torch.randn_like(weights)
    return speller.double().eval()


def literal_norm(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    """(x - mean) / √(variance + ε) · gain + bias."""
    centred = x - x.sum() / len(x)
    return centred / (centred.square().sum() / len(x) + norm.eps).sqrt() * norm.weight + norm.bias


def literal_attention(attention: Any, query: Tensor, seen: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Concat(head_1, …) W^O, head_h = softmax(q k / √K) v, one head and one key at a time; and the weights (H, S)."""
    q = attention.to_query.weight @ query + attention.to_query.bias
    both = [attention.to_key_value.weight @ x + attention.to_key_value.bias for x in seen]
    heads, rows, width = [], [], D // H
    for head in range(H):
        part = slice(head * width, (head + 1) * width)
        energies = torch.stack([(q[part] * kv[:D][part]).sum() / math.sqrt(width) for kv in both])
        rows.append(energies.exp() / energies.exp().sum())
        heads.append(sum(weight * kv[D:][part] for weight, kv in zip(rows[-1], both, strict=True)))
    return attention.to_output.weight @ torch.cat(heads) + attention.to_output.bias, torch.stack(rows)


def literal_layer(layer: TransformerLayer, xs: list[Tensor], heard: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """x + Self(LN x), + Cross(LN x), + W_2 max(0, W_1 LN x + b_1) + b_2, one position at a time."""
    norm, first, _, _, second = layer.feed_forward
    normed = [literal_norm(layer.before_self, x) for x in xs]
    outputs, weights = [], []
    for u, x in enumerate(xs):
        x = x + literal_attention(layer.to_written, normed[u], normed[: u + 1])[0]
        found, looked = literal_attention(layer.to_heard, literal_norm(layer.before_cross, x), heard)
        x = x + found
        hidden = (first.weight @ literal_norm(norm, x) + first.bias).clamp(min=0)
        outputs.append(x + second.weight @ hidden + second.bias)
        weights.append(looked)
    return outputs, weights


def test_matches_the_equations() -> None:
    speller = make_speller(n_layers=2)
    states, lens, tokens = torch.randn(2, 7, D_STATES).double(), torch.tensor([7, 4]), torch.randint(0, V, (2, 4))
    spelling = speller(tokens, speller.memory(states, lens), look=True)
    for b in range(2):
        heard, xs, looks = list(states[b, : lens[b]]), [], []
        for u, token in enumerate(tokens[b].tolist()):
            angles = [u / 10000 ** (2 * i / D) for i in range(D // 2)]
            position = [math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles]
            xs.append(speller.embedding.weight[token] * math.sqrt(D) + torch.tensor(position, dtype=torch.float64))
        for layer in speller.layers:
            xs, looked = literal_layer(layer, xs, heard)
            looks.append(looked)
        for u, x in enumerate(xs):
            logits = speller.to_logits.weight @ literal_norm(speller.last_norm, x) + speller.to_logits.bias
            torch.testing.assert_close(spelling.logits[b, u], logits, atol=1e-10, rtol=0)
            weights = torch.cat([looked[u] for looked in looks])
            torch.testing.assert_close(spelling.weights[b, u, :, : lens[b]], weights, atol=1e-10, rtol=0)
    assert speller.head_names == ["layer 1 head 1", "layer 1 head 2", "layer 2 head 1", "layer 2 head 2"]


def test_a_layer_equals_torchs() -> None:
    layer = make_speller(1, d_states=D).layers[0]
    oracle = nn.TransformerDecoderLayer(D, H, 5, dropout=0.0, batch_first=True, norm_first=True).double().eval()
    weights = {
        "linear1": layer.feed_forward[1],
        "linear2": layer.feed_forward[4],
        "norm1": layer.before_self,
        "norm2": layer.before_cross,
        "norm3": layer.feed_forward[0],
        "self_attn.out_proj": layer.to_written.to_output,
        "multihead_attn.out_proj": layer.to_heard.to_output,
    }
    named = {f"{name}.{key}": value for name, part in weights.items() for key, value in part.state_dict().items()}
    for name, attention in (("self_attn", layer.to_written), ("multihead_attn", layer.to_heard)):
        for key in ("weight", "bias"):
            parts = [getattr(attention.to_query, key), getattr(attention.to_key_value, key)]
            named[f"{name}.in_proj_{key}"] = torch.cat(parts)
    oracle.load_state_dict(named)
    values, states = torch.randn(2, 5, D).double(), torch.randn(2, 7, D).double()
    padding = torch.tensor([[False] * 7, [False] * 4 + [True] * 3])
    causal = nn.Transformer.generate_square_subsequent_mask(5, dtype=torch.float64)
    expected = oracle(values, states, tgt_mask=causal, memory_key_padding_mask=padding)
    speller = make_speller(1, d_states=D)
    memory = speller.memory(states, torch.tensor([7, 4]))
    found, _, _ = layer(values[:, None], speller.start(memory, 1).caches[0], memory.layers[0], memory.bias, look=False)
    torch.testing.assert_close(found[:, 0], expected, atol=1e-10, rtol=0)


def test_keys_and_values_are_made_once_per_utterance() -> None:
    """However many hypotheses and steps, what is heard is projected once, and a step projects its own tokens alone."""
    speller = make_speller(n_layers=2)
    rows: dict[str, list[int]] = {"to_written": [], "to_heard": []}
    for layer in speller.layers:
        for name, seen in rows.items():
            projection = getattr(layer, name).to_key_value
            projection.register_forward_hook(lambda _, inputs, __, seen=seen: seen.append(inputs[0][..., 0].numel()))
    memory = speller.memory(torch.randn(2, 7, D_STATES).double(), torch.tensor([7, 4]))
    state = speller.start(memory, 3)
    for step in range(4):
        _, weights, state = speller.step(torch.full((2, 3), step), state, memory)
        assert weights is None
        state = state.select(torch.tensor([[0, 2, 2], [1, 0, 1]]))
    assert rows == {"to_written": [2 * 3] * 2 * 4, "to_heard": [2 * 7] * 2}
    assert memory.layers[0].keys.shape == (2, H, 7, D // H)
    assert state.caches[0].keys.shape == (2, 3, H, 4, D // H)
