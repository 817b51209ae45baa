"""How a run's objective moves from its first step to its last, and when it asks for attention's weights."""

import pytest
import torch
from learning import find, make_batch, make_model

from asr.models.asr_model import Outputs
from asr.training.objectives import GuidedAttention, MinWerObjective, SpellingObjective
from asr.training.schedule import guide_weight, sampling_probability


def test_scheduled_sampling_and_the_guide_move_as_they_say():
    shares = (0.0, 0.25, 0.375, 0.5, 0.995)
    assert [sampling_probability(share, 0.4) for share in shares] == pytest.approx([0.0, 0.0, 0.2, 0.4, 0.4])
    assert [guide_weight(share, 0.5, 2.0) for share in shares] == pytest.approx([2.0, 1.0, 0.5, 0.0, 0.0])


class Asked:
    """A model that remembers how it was asked."""

    def __init__(self) -> None:
        self.model = make_model()
        self.given: list[tuple] = []

    def __call__(self, *given: object) -> Outputs:
        self.given.append(given)
        return self.model(*given)


def test_weights_are_asked_for_only_while_there_is_a_guide():
    guided = GuidedAttention(weight=0.5, width=0.2, until_share=0.3, n_heads=None)
    objective = SpellingObjective(0.3, 0.1, 0.2, sos=2, eos=3, guided_attention=guided)
    asked, batch = Asked(), make_batch([1, 2])
    given = (*asked.model.features(batch.samples, batch.sample_lens), batch.tokens, batch.token_lens)
    early, late = (objective(asked, *given, share) for share in (0.0, 0.3))
    assert [look for *_, look, _ in asked.given] == [True, False]
    assert early.parts.keys() == late.parts.keys() == set(objective.parts)
    assert early.parts["guided"] > 0.0 == late.parts["guided"]
    plain = SpellingObjective(0.3, 0.1, 0.2, sos=2, eos=3)(asked.model, *given, 0.0)
    torch.testing.assert_close(early.joint, plain.joint + 0.5 * early.parts["guided"])


def test_one_forward_pass_answers_for_truth_and_n_best():
    objective = MinWerObjective(SpellingObjective(0.3, 0.1, 0.0, sos=2, eos=3), find, joint_weight=0.25)
    asked, batch = Asked(), make_batch([1, 2])
    given = (*asked.model.features(batch.samples, batch.sample_lens), batch.tokens, batch.token_lens)
    found = objective(asked, *given, 0.0)
    assert len(asked.given) == 1, "ranks exchange gradients once"
    assert found.parts.keys() == set(objective.parts) == {"attention", "ctc", "word_errors"}
