"""Attention rollout against the papers' equations, entry by entry, in float64."""

import torch

from asr.models.attention.rollout import rollout, rollout_from_tokens


def rows_of_one(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape))).softmax(-1)


def literal(maps: torch.Tensor) -> list[list[float]]:
    """Abnar & Zuidema 2020, equation 1: the first layer's matrix, then every further one times what lies below."""
    n_layers, n_heads, n, _ = maps.shape
    below = [[float(i == j) for j in range(n)] for i in range(n)]
    for layer in range(n_layers):
        mixed = []
        for i in range(n):
            row = [0.5 * sum(maps[layer, h, i, j].item() for h in range(n_heads)) / n_heads for j in range(n)]
            row[i] += 0.5
            total = sum(row)
            mixed.append([value / total for value in row])
        below = [[sum(mixed[i][k] * below[k][j] for k in range(n)) for j in range(n)] for i in range(n)]
    return below


def test_it_is_the_product_of_the_layers():
    maps = rows_of_one(4, 3, 6, 6)
    found = rollout(maps)
    torch.testing.assert_close(found, torch.tensor(literal(maps), dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(found.sum(-1), torch.ones(6, dtype=torch.float64))
    assert not torch.allclose(found, rollout(maps.flip(0)))  # the lowest layer is applied first


def test_a_layer_that_looks_nowhere_else_changes_nothing():
    eye = torch.eye(5, dtype=torch.float64).expand(2, 3, 5, 5)
    torch.testing.assert_close(rollout(eye), torch.eye(5, dtype=torch.float64))


def test_rows_that_do_not_sum_to_one_are_mended():
    maps = rows_of_one(2, 2, 4, 4)
    torch.testing.assert_close(rollout(0.7 * maps).sum(-1), torch.ones(4, dtype=torch.float64))


def test_from_tokens_each_layer_adds_half_of_what_it_takes():
    flow, cross = rollout(rows_of_one(2, 2, 7, 7)), rows_of_one(3, 2, 4, 7)
    wanted = torch.zeros(4, 7, dtype=torch.float64)
    for layer in range(3):
        share = 0.5 * 0.5 ** (2 - layer)  # halved by each layer above
        for u in range(4):
            for s in range(7):
                wanted[u, s] += share * sum(cross[layer, :, u, k].mean() * flow[k, s] for k in range(7))
    wanted /= 1 - 0.5**3
    torch.testing.assert_close(rollout_from_tokens(cross, flow), wanted, rtol=0, atol=1e-12)


def test_from_tokens_of_one_layer_is_its_attention_through_the_listener():
    flow, cross = rollout(rows_of_one(2, 2, 7, 7)), rows_of_one(1, 2, 4, 7)
    torch.testing.assert_close(rollout_from_tokens(cross, flow), cross[0].mean(0) @ flow)
