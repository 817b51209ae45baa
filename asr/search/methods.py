"""The one way into search: every caller comes here, and the settings say which method answers."""

from collections.abc import Sequence

from torch import Tensor

from asr.models.asr_model import AsrModel
from asr.search.beam import SearchSettings, beam_search
from asr.search.greedy import ctc_greedy, greedy_search
from asr.search.hypothesis import Hypothesis
from asr.search.rescore import rescore
from asr.search.scorers import OtherScorer


def search(
    model: AsrModel,
    states: Tensor,
    state_lens: Tensor,
    settings: SearchSettings,
    others: Sequence[OtherScorer] = (),
) -> list[list[Hypothesis]]:
    """Finds transcripts by the method of the settings.

    "beam" is joint decoding with all scorers. "rescore" lets CTC propose as many transcripts, and orders them by the
    same scorers. "greedy" follows the speller's best token and "ctc" CTC's best path: one hypothesis each, in which
    weights, threshold and beam size have no say.

    Args:
        model: The model, in evaluation mode.
        states: (B, S, D) listener states.
        state_lens: (B,) int64.
        settings: How to search.
        others: More scorers, for beam and rescoring.

    Returns:
        For each utterance its hypotheses, best first: up to `settings.n_best`.

    Raises:
        ValueError: The model gives an utterance no finite score, or other scorers are given to a method that cannot ask
            them.
    """
    if settings.method == "beam":
        return beam_search(model, states, state_lens, settings, others)
    if settings.method == "rescore":
        return rescore(model, states, state_lens, settings, others)
    if asked := [other.name for other in others if other.weight != 0]:
        raise ValueError(f"search method {settings.method} cannot use {', '.join(asked)}; beam and rescore can")
    if settings.method == "ctc":
        return [[found] for found in ctc_greedy(model, states, state_lens)]
    return [[found] for found in greedy_search(model, states, state_lens, settings.max_length_ratio)]
