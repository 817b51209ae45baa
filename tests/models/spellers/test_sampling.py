"""Scheduled sampling feeds true and own tokens in the shares it is told (Bengio et al. 2015, section 2.4)."""

import math

import pytest
import torch

from asr.models.attention.additive import AdditiveAttention
from asr.models.spellers.lstm import LstmSpeller
from asr.models.spellers.sampling import mix_in_own

V, N_ROWS, N_STEPS = 11, 60, 8


def check_mixture(fed: torch.Tensor, true: torch.Tensor, own: torch.Tensor, sampling: float) -> None:
    """Every token fed is the true or the own one; where they differ, it is the own one as often as chance allows."""
    assert fed[:, 0].equal(true[:, 0]), "the start of sentence is always true"
    assert (fed.eq(true) | fed.eq(own)).all()
    tells = true.ne(own)[:, 1:]
    n, n_own = int(tells.sum()), int((fed.eq(own)[:, 1:] & tells).sum())
    assert n > 300
    assert abs(n_own - n * sampling) < 4 * math.sqrt(n * sampling * (1 - sampling))


@pytest.mark.parametrize("sampling", [0.1, 0.5, 0.8])
def test_a_speller_that_goes_token_by_token(sampling: float) -> None:
    torch.manual_seed(0)
    speller = LstmSpeller(AdditiveAttention(10, 6, 8), V, d_embedding=4, d_hidden=10, n_layers=1, dropout=0.0)
    memory = speller.memory(torch.randn(N_ROWS, 5, 6), torch.full((N_ROWS,), 5))
    true = torch.randint(0, V, (N_ROWS, N_STEPS))
    fed: list[torch.Tensor] = []
    speller.embedding.register_forward_pre_hook(lambda _, given: fed.append(given[0]))
    logits = speller(true, memory, sampling).logits
    own = torch.cat([true[:, :1], logits[:, :-1].argmax(-1)], 1)  # what it had just written, after what it was fed
    check_mixture(torch.cat(fed, 1), true, own, sampling)


@pytest.mark.parametrize("sampling", [0.1, 0.5, 0.8])
def test_a_speller_that_spells_all_positions_at_once(sampling: float) -> None:
    torch.manual_seed(0)
    true, logits = torch.randint(0, V, (N_ROWS, N_STEPS)), torch.randn(N_ROWS, N_STEPS, V)
    own = torch.cat([true[:, :1], logits[:, :-1].argmax(-1)], 1)
    check_mixture(mix_in_own(true, logits, sampling), true, own, sampling)
