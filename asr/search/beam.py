"""Joint decoding: one beam search over utterances and hypotheses at once (Watanabe et al. 2017)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from asr.models.asr_model import AsrModel
from asr.search.coverage import CoverageBonus
from asr.search.ctc_prefix import CtcPrefixScorer
from asr.search.hypothesis import Hypothesis, check_finite, finish_of, max_lengths
from asr.search.nbest import Finished, Lineage
from asr.search.scorers import AttentionScorer, LengthBonus, OtherScorer, Scorer

Method = Literal["beam", "greedy", "ctc", "rescore"]
CANDIDATES_PER_PLACE = 1.5  # tokens that the speller proposes per hypothesis, as a multiple of the beam size


@dataclass(frozen=True)
class SearchSettings:
    """How to search.

    Attributes:
        beam_size: Hypotheses W kept per utterance.
        ctc_weight: Share of the CTC prefix score, 0 to 1; attention has the rest. At 0 CTC takes no part. At 1 the
            speller still proposes the candidates.
        length_bonus: Added to the score per token.
        eos_threshold: A hypothesis may end only if the speller's log-probability of the end is greater than this
            factor times that of its best other token. Above 1 the end may be the lesser of both: 1.5 asks for
            p(eos) > p(best) ** 1.5. `math.inf` lets it end anywhere.
        max_length_ratio: Longest hypothesis, in tokens per listener state.
        n_best: Hypotheses returned per utterance, at most `beam_size`.
        method: See `asr.search.methods.search`.
        coverage_bonus: Added to the score per listener state that attention has covered (see `CoverageBonus`).
    """

    beam_size: int = 10
    ctc_weight: float = 0.3
    length_bonus: float = 0.0
    eos_threshold: float = 1.5
    max_length_ratio: float = 1.0
    n_best: int = 1
    method: Method = "beam"
    coverage_bonus: float = 0.0

    def __post_init__(self) -> None:
        """Refuses what makes no sense."""
        for name, good, expected in (
            ("beam_size", self.beam_size >= 1, "at least 1"),
            ("ctc_weight", 0 <= self.ctc_weight <= 1, "from 0 to 1"),
            ("length_bonus", math.isfinite(self.length_bonus), "a finite number"),
            ("coverage_bonus", 0 <= self.coverage_bonus < math.inf, "0 or more"),
            ("eos_threshold", self.eos_threshold > 0, "more than 0"),
            ("max_length_ratio", 0 < self.max_length_ratio < math.inf, "more than 0"),
            ("n_best", 1 <= self.n_best <= self.beam_size, f"from 1 to beam_size = {self.beam_size}"),
        ):
            if not good:
                raise ValueError(f"search setting {name} = {getattr(self, name)}: expected {expected}")


class Beam(NamedTuple):
    """Hypotheses that go on: scores (B, W) float64, -inf where the place is free; parts (B, W, n_scorers)."""

    scores: Tensor
    parts: Tensor


@torch.inference_mode()
def beam_search(
    model: AsrModel,
    states: Tensor,
    state_lens: Tensor,
    settings: SearchSettings,
    others: Sequence[OtherScorer] = (),
) -> list[list[Hypothesis]]:
    """Finds the best transcripts of each utterance under the joint score.

    The places of the beam are filled one after another, each with the best continuation that is left of what a beam of
    just that size would have (Lemons et al. 2022, "Beam search: faster and monotonic"): so a larger beam holds all that
    a smaller one holds, and never scores worse. A hypothesis may end when its end scores as well as what goes on at its
    place or at one behind it, and must at its utterance's bound on tokens. The search stops when no hypothesis that
    goes on can still enter the n-best list. Ties go to the better-placed hypothesis, then to the token that the speller
    likes better; a hypothesis that ends keeps none from going on.

    Args:
        model: The model, in evaluation mode.
        states: (B, S, D) listener states.
        state_lens: (B,) int64.
        settings: How to search.
        others: More scorers, such as language models, each under a name of its own; one of weight 0 is left out.

    Returns:
        For each utterance up to `settings.n_best` hypotheses, best first.

    Raises:
        ValueError: The model gives an utterance no finite score.
    """
    others = [other for other in others if other.weight != 0]
    attention, scorers, weights = _scorers(model, states, state_lens, settings, others)
    names, weight = list(scorers), torch.tensor(weights, dtype=torch.float64, device=states.device)
    for scorer in scorers.values():
        scorer.start(settings.beam_size)
    bounds = max_lengths(state_lens, settings.max_length_ratio)
    beam = _first_beam(len(states), settings.beam_size, len(names), states.device)
    finished = Finished.empty(len(states), settings.n_best, len(names), states.device)
    lineage = Lineage()
    for n_tokens in range(int(bounds.amax()) + 1):
        candidates = attention.propose(n_candidates(settings.beam_size))
        gains = torch.stack([scorer.score(candidates) for scorer in scorers.values()], -1)
        joint = beam.scores[..., None] + (gains * weight).sum(-1)
        joint = _restrict(joint, gains[..., 0], bounds == n_tokens, settings.eos_threshold)
        beam, ended, parents, tokens = _advance(joint, beam.parts[:, :, None] + gains, candidates, n_tokens)
        finished = finished.merge(ended)
        hope = _hope(settings, others, bounds - n_tokens - 1)[:, None]
        if settings.coverage_bonus > 0:
            hope = hope + settings.coverage_bonus * (state_lens[:, None] - beam.parts[..., names.index("coverage")])
        done = (beam.scores + hope).amax(1) <= finished.scores[:, -1]
        if bool(done.all()):
            break
        beam = beam._replace(scores=beam.scores.masked_fill(done[:, None], -torch.inf))
        lineage.append(parents, tokens, beam.parts)
        for scorer in scorers.values():
            scorer.select(parents, tokens)
    return _hypotheses(finished, *lineage.read(finished), names, bounds)


def _scorers(
    model: AsrModel, states: Tensor, state_lens: Tensor, settings: SearchSettings, others: Sequence[OtherScorer]
) -> tuple[AttentionScorer, dict[str, Scorer], list[float]]:
    """The scorers of this search by name, attention first, and their weights."""
    attention = AttentionScorer(model.speller, states, state_lens, look=settings.coverage_bonus > 0)
    scorers: dict[str, Scorer] = {"attention": attention, "length": LengthBonus()}
    weights = [1 - settings.ctc_weight, settings.length_bonus]
    if settings.ctc_weight > 0:
        scorers["ctc"] = CtcPrefixScorer(model.ctc_log_probs(states), state_lens)
        weights.append(settings.ctc_weight)
    if settings.coverage_bonus > 0:
        scorers["coverage"] = CoverageBonus(attention)
        weights.append(settings.coverage_bonus)
    for other in others:
        if other.name in scorers:
            raise ValueError(f"scorer {other.name!r}: expected a name that no other scorer of the search has")
        scorers[other.name] = other.begin(states, state_lens)
        weights.append(other.weight)
    return attention, scorers, weights


def _hope(settings: SearchSettings, others: Sequence[OtherScorer], n_left: Tensor) -> Tensor:
    """The most that tokens can still add to the score: n_left (B,) of them and the end -> (B,)."""
    most = sum(max(other.most, 0.0) for other in others)
    return max(settings.length_bonus, 0.0) * n_left + most * (n_left + 1)


def _first_beam(n_utterances: int, beam_size: int, n_scorers: int, device: torch.device) -> Beam:
    """One empty hypothesis per utterance; the other places are free."""
    parts = torch.zeros(n_utterances, beam_size, n_scorers, dtype=torch.float64, device=device)
    scores = torch.full((n_utterances, beam_size), -torch.inf, dtype=torch.float64, device=device)
    scores[:, 0] = 0.0
    return Beam(scores, parts)


def _restrict(joint: Tensor, attention: Tensor, at_bound: Tensor, eos_threshold: float) -> Tensor:
    """Says which continuations are allowed.

    At the bound only the end is. Elsewhere the end must pass the threshold, unless nothing else is possible: CTC gives
    -inf to more tokens than states.

    Args:
        joint: (B, W, C) joint scores, end of sentence first.
        attention: (B, W, C) the speller's log-probabilities.
        at_bound: (B,) bool, whether hypotheses have as many tokens as they may.
        eos_threshold: See `SearchSettings`.

    Returns:
        (B, W, C) joint scores, -inf where not allowed.
    """
    others = joint[..., 1:].masked_fill(at_bound[:, None, None], -torch.inf)
    may_end = attention[..., 0] > eos_threshold * attention[..., 1:].amax(-1)
    may_end |= others.amax(-1) == -torch.inf
    end = joint[..., :1].masked_fill(~may_end[..., None], -torch.inf)
    return torch.cat([end, others], -1)


def _advance(joint: Tensor, parts: Tensor, candidates: Tensor, n_tokens: int) -> tuple[Beam, Finished, Tensor, Tensor]:
    """Parts the continuations into those that go on, a place each, and those that end.

    Args:
        joint: (B, W, C) joint scores, end of sentence first.
        parts: (B, W, C, n_scorers) their unweighted sums.
        candidates: (B, W, C) int64 tokens.
        n_tokens: Tokens of the hypotheses so far.

    Returns:
        The next beam; what ended; parents and tokens of the next beam, both (B, W) int64.
    """
    scores, parents, columns = _fill_places(joint[..., 1:])
    chosen = parents * joint.shape[-1] + columns + 1
    beam = Beam(scores, _pick(parts.flatten(1, 2), chosen))
    least = scores.flip(1).cummin(1).values.flip(1)  # of each place and those behind it
    ended = Finished(
        joint[..., 0].masked_fill(joint[..., 0] < least, -torch.inf),
        parts[:, :, 0],
        torch.full_like(parents, n_tokens),
        torch.arange(parents.shape[1], device=parents.device).expand_as(parents),
    )
    return beam, ended, parents, candidates.flatten(1).gather(1, chosen)


def _fill_places(scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gives each place in turn the best continuation that is left of what a beam of that size has.

    Such a beam has the hypotheses at that place and before it, and of each as many of the speller's candidates as it
    would ask for.

    Args:
        scores: (B, W, C) of continuations, the speller's best first.

    Returns:
        Scores (B, W), parents (B, W) int64 and columns (B, W) int64.
    """
    beam_size, n_columns = scores.shape[1:]
    places, columns = torch.arange(beam_size, device=scores.device), torch.arange(n_columns, device=scores.device)
    smallest = torch.maximum(places[:, None], (columns / CANDIDATES_PER_PLACE).long()).flatten()
    scores, order = scores.flatten(1).sort(dim=1, descending=True, stable=True)
    first_place, chosen = smallest[order], []
    for place in range(beam_size):
        chosen.append((first_place <= place).byte().argmax(1, keepdim=True))  # the first: more are open than taken
        first_place.scatter_(1, chosen[-1], beam_size)
    index = torch.cat(chosen, 1)
    scores, index = scores.gather(1, index), order.gather(1, index)
    return scores, index // n_columns, index % n_columns


def n_candidates(beam_size: int) -> int:
    """How many tokens the speller proposes for each hypothesis of a beam."""
    return math.ceil(beam_size * CANDIDATES_PER_PLACE)


def _pick(values: Tensor, index: Tensor) -> Tensor:
    """Picks rows: (B, R, n) by (B, W) -> (B, W, n)."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[-1]))


def _hypotheses(
    finished: Finished, tokens: Tensor, gains: Tensor, names: list[str], bounds: Tensor
) -> list[list[Hypothesis]]:
    """Turns tensors into results, once, at the end."""
    scores, parts, lens = finished.scores.tolist(), finished.parts.tolist(), finished.n_tokens.tolist()
    columns = gains.transpose(-1, -2).tolist()  # (B, N, n_scorers, steps + 1)
    results = []
    for b, (rows, max_length) in enumerate(zip(tokens.tolist(), bounds.tolist(), strict=True)):
        found = []
        for row, n, score, part, gained in zip(rows, lens[b], scores[b], parts[b], columns[b], strict=True):
            if math.isfinite(score):
                each = {name: tuple(column[: n + 1]) for name, column in zip(names, gained, strict=True)}
                sums = dict(zip(names, part, strict=True))
                found.append(Hypothesis(tuple(row[:n]), score, sums, finish_of(n, max_length), each))
        check_finite(found[0].score if found else -math.inf, b)
        results.append(found)
    return results
