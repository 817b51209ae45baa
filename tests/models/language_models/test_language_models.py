"""Laws that both kinds of language model obey."""

from collections.abc import Callable

import pytest
import torch

from asr.models.language_models.language_model import LanguageModel
from asr.models.language_models.lstm import LstmLanguageModel
from asr.models.language_models.transformer import TransformerLanguageModel

N_TOKENS, SOS = 11, 2
KINDS: dict[str, Callable[[], LanguageModel]] = {
    "lstm": lambda: LstmLanguageModel(N_TOKENS, 6, 10, 2, 0.1),
    "transformer": lambda: TransformerLanguageModel(N_TOKENS, 8, 2, 2, 12, 0.1),
}


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> LanguageModel:
    torch.manual_seed(0)
    return KINDS[request.param]().double().eval()


def test_steps_equal_one_pass_whatever_the_hypotheses_descend_from(model: LanguageModel) -> None:
    generator = torch.Generator().manual_seed(1)
    n_utterances, width, n_steps = 2, 3, 5
    state = model.start(n_utterances, width)
    said = torch.full((n_utterances, width, 1), SOS)
    for _ in range(n_steps):
        log_probs, state = model.step(said[..., -1], state)
        expected = model(said.flatten(0, 1))[:, -1].log_softmax(-1).unflatten(0, (n_utterances, width))
        torch.testing.assert_close(log_probs, expected, rtol=0, atol=1e-10)
        parents = torch.randint(width, (n_utterances, width), generator=generator)
        tokens = torch.randint(4, N_TOKENS, (n_utterances, width), generator=generator)
        state = state.select(parents)
        said = torch.cat([said.gather(1, parents[..., None].expand_as(said)), tokens[..., None]], 2)


def test_a_token_knows_nothing_of_what_follows_nor_of_other_sentences(model: LanguageModel) -> None:
    one = torch.tensor([[SOS, 5, 7, 4, 9], [SOS, 6, 6, 10, 4]])
    other = torch.tensor([[SOS, 5, 7, 8, 8], [SOS, 4, 9, 9, 9]])
    torch.testing.assert_close(model(one)[0, :3], model(other)[0, :3], rtol=0, atol=1e-12)
    torch.testing.assert_close(model(one)[:1], model(one[:1]), rtol=0, atol=1e-12)
    assert not torch.allclose(model(one)[0, 3:], model(other)[0, 3:])
