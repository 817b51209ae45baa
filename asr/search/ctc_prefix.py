"""CTC's opinion of unfinished transcripts, without a loop over frames."""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from asr.models.hypotheses import pick_hypotheses
from asr.models.masks import length_mask
from asr.text.tokenizer import Tokenizer

FLOOR = -1e4  # stands for log 0 in the input: differences of -inf would be NaN
LOWEST = -1e30  # the least that is subtracted, for the same reason


class CtcPrefixScorer:
    """Log-probability that CTC's transcript begins with a prefix (Graves 2008; Watanabe et al. 2017, algorithm 2).

    For a prefix g, `r_n[t]` and `r_b[t]` are the log-probabilities that the first t states spell exactly g and end in
    its last token or in blank. A token c can begin at state t + 1 after phi[t] = r_b[t] (+) r_n[t], where (+) adds
    probabilities and the second term is left out if c repeats the last token of g. Then

        prefix score of g c    psi = (+)_t  phi[t-1] + log p_t(c)
        r_n[t] of g c        = (r_n[t-1] (+) phi[t-1]) + log p_t(c)
        r_b[t] of g c        = (r_b[t-1] (+) r_n[t-1]) + log p_t(blank)

    psi needs the forward variables of g only, so candidates cost one sum each; the recurrences are followed just for
    those selected. They are linear in the log semiring: with P[t] the running sum of log p, r[t] - P[t] is a running
    log-sum of inputs, r[t] = P[t] + logcumsumexp_{s<=t}(phi[s-1] - P[s-1]). P goes to -1e4 and beyond, which float32
    cannot take: the recurrences are float64. psi is summed in the precision of the input, relative to its largest term.

    Padding has no effect: no token begins there, blank costs nothing, and r_n[t] = -inf hands its mass to r_b.

    Args:
        log_probs: (B, S, V) of the CTC head; values in the padding are never used.
        state_lens: (B,) int64.
    """

    def __init__(self, log_probs: Tensor, state_lens: Tensor) -> None:
        mask = length_mask(state_lens, log_probs.shape[1])
        log_probs = log_probs.masked_fill(~mask[..., None], 0.0).clamp_(min=FLOOR)
        # Terms below are nothing beside the largest, and exp() of them would be slow: it leaves the normal numbers.
        self._smallest = 0.9 * math.log(torch.finfo(log_probs.dtype).tiny)
        self._n_tokens = log_probs.shape[-1]
        self._rows = log_probs.transpose(1, 2).reshape(-1, log_probs.shape[1])  # (B * V, S)
        self._first_row = torch.arange(len(log_probs), device=log_probs.device) * self._n_tokens
        self._padding = ~mask[:, None]  # (B, 1, S)
        self._blank_sum = pad(log_probs[..., Tokenizer.blank].double().cumsum(-1), (1, 0))[:, None]  # (B, 1, S + 1)

    def start(self, width: int) -> None:
        """See `Scorer.start`."""
        r_b = self._blank_sum.expand(-1, width, -1)  # (B, W, S + 1)
        self._psi = torch.zeros_like(r_b[..., 0])  # (B, W)
        self._last = torch.full_like(self._psi, Tokenizer.sos, dtype=torch.int64)
        self._arrive(torch.full_like(r_b, -torch.inf), r_b)

    def score(self, candidates: Tensor) -> Tensor:
        """See `Scorer.score`; the end of sentence brings the sum to the log-probability of the whole transcript."""
        psi = self._sums_of_starts(candidates)
        psi = torch.where(candidates == self._last[..., None], psi[..., -1:], psi[..., :-1])
        psi = torch.where(candidates == Tokenizer.eos, self._whole[..., None], psi)
        return torch.where(psi == -torch.inf, psi, psi - self._psi[..., None])

    def select(self, parents: Tensor, tokens: Tensor) -> None:
        """See `Scorer.select`."""
        repeats = tokens == self._last.gather(1, parents)
        phi = pick_hypotheses(self._phi.flatten(1, 2), 2 * parents + repeats)
        log_p = self._of(tokens)
        small, top = self._relative(phi)
        self._psi = self._add_up(log_p + small) + top  # as in `score`, to the bit: their differences add up
        self._last, log_p = tokens, log_p.double()
        token_sum = log_p.cumsum(-1)
        r_n = self._mask(token_sum + torch.logcumsumexp(phi - (token_sum - log_p), -1))
        r_n = pad(r_n, (1, 0), value=-torch.inf)
        r_b = self._blank_sum[..., 1:] + torch.logcumsumexp(r_n[..., :-1] - self._blank_sum[..., :-1], -1)
        self._arrive(r_n, pad(r_b, (1, 0), value=-torch.inf))

    def _arrive(self, r_n: Tensor, r_b: Tensor) -> None:
        """Takes the forward variables of new prefixes, (B, W, S + 1) each."""
        total = torch.logaddexp(r_n, r_b)
        self._whole = total[..., -1]  # (B, W)
        # Before each state, for another token than the last and for the last again: (B, W, 2, S).
        self._phi = torch.stack([total, r_b], 2)[..., :-1].masked_fill(self._padding[:, None], -torch.inf)

    def _sums_of_starts(self, candidates: Tensor) -> Tensor:
        """Adds up where a token can begin, for candidates (B, W, C) and the last one again: (B, W, C + 1) float64."""
        phi, top = self._relative(self._phi)
        terms = self._of(torch.cat([candidates, self._last[..., None]], -1))
        terms[:, :, :-1] += phi[:, :, :1]
        terms[:, :, -1:] += phi[:, :, 1:]
        sums = self._add_up(terms)
        return torch.cat([sums[..., :-1] + top[..., :1], sums[..., -1:] + top[..., 1:]], -1)

    def _relative(self, phi: Tensor) -> tuple[Tensor, Tensor]:
        """Variables (..., S) relative to the largest, in the precision of the input, and the largest (...)."""
        top = phi.amax(-1, keepdim=True)
        return (phi - top.clamp(min=LOWEST)).to(self._rows.dtype), top.squeeze(-1)

    def _add_up(self, terms: Tensor) -> Tensor:
        """Log of the sum of exp, relative to the largest: terms (..., S), which are overwritten -> (...) float64."""
        peak = terms.amax(-1, keepdim=True)
        sums = terms.sub_(peak.clamp(min=LOWEST)).clamp_(min=self._smallest).exp_().sum(-1)
        return sums.double().log() + peak.squeeze(-1)

    def _of(self, tokens: Tensor) -> Tensor:
        """Log-probabilities of tokens (B, ...) at all states: (B, ..., S)."""
        rows = tokens + self._first_row.view(-1, *[1] * (tokens.dim() - 1))
        return self._rows.index_select(0, rows.flatten()).unflatten(0, tokens.shape)

    def _mask(self, values: Tensor) -> Tensor:
        """Makes padding impossible: values (B, W, S)."""
        return values.masked_fill(self._padding, -torch.inf)
