"""The numbers in recipes/KINDS.md."""

from pathlib import Path

import pytest
import torch

from asr.audio.read import RATE_HZ
from asr.recipe.kinds import all_kinds
from asr.recognizer.kinds import AUDIO_S, N_TOKENS, kind_flop, kind_model
from asr.training.floor import count_flop

TABLE = (Path(__file__).resolve().parents[2] / "recipes" / "KINDS.md").read_text(encoding="utf-8")
KINDS = all_kinds()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.part}-{kind.name}")
def test_parameters_are_as_the_table_says(kind):
    n_parameters = sum(weights.numel() for weights in kind_model(kind).parameters())
    section = TABLE.partition(f"## {kind.part}\n")[2].partition("##")[0]
    row = next(line for line in section.splitlines() if line.startswith(f"| `{kind.name}` |"))
    assert f"| {n_parameters / 1e6:.3f} M |" in row, "run: python -m asr.recognizer.kinds > recipes/KINDS.md"


def test_operations_are_two_per_weight_and_use():
    """Against a count by hand of the additive attention's model."""
    kind = next(kind for kind in KINDS if kind.name == "additive")
    model = kind_model(kind)
    n_frames = AUDIO_S * 100
    n_states, n_steps = n_frames // 4, N_TOKENS + 1
    at_half = model.listener.convolutions[0].weight.numel() * n_frames // 2 * 40
    at_quarter = model.listener.convolutions[1].weight.numel() * n_states * 20
    blstms = [weights.numel() for name, weights in model.listener.layers.named_parameters() if "weight" in name]
    per_state = sum(blstms) + model.ctc_head.weight.numel() + model.speller.attention.compare.to_key.weight.numel()
    cells = [weights.numel() for name, weights in model.speller.cells.named_parameters() if "weight" in name]
    linear = [model.speller.to_readout, model.speller.to_logits, model.speller.attention.compare.to_query]
    per_step = sum(cells) + sum(layer.weight.numel() for layer in linear) + n_states * (256 + 512)  # energies, context
    expected = 2 * (at_half + at_quarter + per_state * n_states + per_step * n_steps)
    assert kind_flop(model) * AUDIO_S == pytest.approx(expected, rel=0.02)  # the mel filters come on top
    assert RATE_HZ == 16000


@pytest.mark.parametrize("masked", [False, True])
def test_fused_attention_counts_as_its_two_products_do(masked):
    query, key = torch.randn(2, 3, 7, 16), torch.randn(2, 3, 11, 16)
    mask = torch.rand(7, 11) > 0.2 if masked else None
    with torch.inference_mode():
        fused = count_flop(lambda: torch.nn.functional.scaled_dot_product_attention(query, key, key, attn_mask=mask))
        plain = count_flop(lambda: (query @ key.transpose(2, 3)).softmax(-1) @ key)
    assert fused == plain == 2 * 2 * 2 * 3 * 7 * 11 * 16
