"""The speller: writes the transcript one token at a time, looking at the listener's states."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from asr.models.attention import AdditiveAttention, Memory
from asr.models.recurrent import open_forget_gates


@dataclass(frozen=True)
class SpellerState:
    """Where each hypothesis stands. All tensors lead with (B, W).

    Attributes:
        hidden: (B, W, n_layers, d_hidden) outputs of the LSTM layers.
        cell: (B, W, n_layers, d_hidden) their cells.
        context: (B, W, D) what was last attended to.
        attention: (B, W, S) the attention's own state.
    """

    hidden: Tensor
    cell: Tensor
    context: Tensor
    attention: Tensor

    def select(self, index: Tensor) -> "SpellerState":
        """Keeps, repeats or re-orders hypotheses: index (B, W') int64 into W."""
        return SpellerState(
            *(_gather(value, index) for value in (self.hidden, self.cell, self.context, self.attention))
        )


class Spelling(NamedTuple):
    """A teacher-forced pass: logits (B, U, V) and attention weights (B, U, S)."""

    logits: Tensor
    weights: Tensor


class LstmSpeller(nn.Module):
    """LSTM with input feeding and attention (Chan et al. 2016, equations 6–8; input feeding: Luong et al. 2015).

    Each step reads the last token and the last context, attends with the new top state, and predicts the next token
    from state and context.

    Args:
        attention: Where to look.
        n_tokens: Size V of the vocabulary.
        d_states: Width D of the listener states.
        d_embedding: Width of token embeddings.
        d_hidden: Width of the LSTM layers.
        n_layers: LSTM layers.
        dropout: Share of activations dropped, on embeddings and before the output.
    """

    def __init__(
        self,
        attention: AdditiveAttention,
        n_tokens: int,
        d_states: int,
        d_embedding: int,
        d_hidden: int,
        n_layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.d_hidden = d_hidden
        self.embedding = nn.Embedding(n_tokens, d_embedding)
        widths = [d_embedding + d_states] + [d_hidden] * (n_layers - 1)
        cells = [nn.LSTMCell(width, d_hidden) for width in widths]
        for cell in cells:
            open_forget_gates(cell, d_hidden)
        self.cells = nn.ModuleList(cells)
        self.to_readout = nn.Linear(d_hidden + d_states, d_hidden)
        self.to_logits = nn.Linear(d_hidden, n_tokens)
        self.dropout = nn.Dropout(dropout)

    def memory(self, states: Tensor, state_lens: Tensor) -> Memory:
        """Prepares an utterance's states (B, S, D) for any number of steps and hypotheses."""
        return self.attention.memory(states, state_lens)

    def start(self, memory: Memory, width: int) -> SpellerState:
        """The state of `width` hypotheses per utterance before the first token."""
        n_utterances, _, d_states = memory.states.shape
        zeros = memory.states.new_zeros(n_utterances, width, len(self.cells), self.d_hidden)
        context = memory.states.new_zeros(n_utterances, width, d_states)
        return SpellerState(zeros, zeros, context, self.attention.start(memory, width))

    def step(self, tokens: Tensor, state: SpellerState, memory: Memory) -> tuple[Tensor, Tensor, SpellerState]:
        """Scores the next token of every hypothesis.

        Args:
            tokens: (B, W) int64 last tokens; `sos` at first.
            state: From `start` or the last step.
            memory: From `memory`.

        Returns:
            log_probs (B, W, V), weights (B, W, S), and the next state.
        """
        logits, weights, state = self._advance(tokens, state, memory)
        return logits.log_softmax(-1), weights, state

    def forward(self, tokens: Tensor, memory: Memory, sampling: float = 0.0) -> Spelling:
        """Spells with the true tokens as history (teacher forcing).

        Args:
            tokens: (B, U) int64 history: `sos`, then the transcript.
            memory: From `memory`.
            sampling: Probability of feeding the model's own best token instead of the true one
                (scheduled sampling, Bengio et al. 2015).

        Returns:
            For each of the U positions, logits of the token that follows it, and the attention weights.
        """
        state = self.start(memory, 1)
        logits: list[Tensor] = []
        weights: list[Tensor] = []
        for position in range(tokens.shape[1]):
            history = tokens[:, position : position + 1]
            if sampling and position:
                own = torch.rand(history.shape, device=history.device) < sampling
                history = torch.where(own, logits[-1].argmax(-1), history)
            step_logits, step_weights, state = self._advance(history, state, memory)
            logits.append(step_logits)
            weights.append(step_weights)
        return Spelling(torch.cat(logits, 1), torch.cat(weights, 1))

    def _advance(self, tokens: Tensor, state: SpellerState, memory: Memory) -> tuple[Tensor, Tensor, SpellerState]:
        shape = tokens.shape
        values = torch.cat([self.dropout(self.embedding(tokens)), state.context], -1).flatten(0, 1)
        hidden, cell = [], []
        for layer, lstm in enumerate(self.cells):
            before = (state.hidden[:, :, layer].flatten(0, 1), state.cell[:, :, layer].flatten(0, 1))
            values, memory_cell = lstm(values, before)
            hidden.append(values)
            cell.append(memory_cell)
        query = values.unflatten(0, shape)
        context, weights, attention = self.attention(query, state.attention, memory)
        readout = self.to_readout(self.dropout(torch.cat([query, context], -1))).tanh()
        after = SpellerState(
            torch.stack(hidden, 1).unflatten(0, shape), torch.stack(cell, 1).unflatten(0, shape), context, attention
        )
        return self.to_logits(self.dropout(readout)), weights, after


def _gather(values: Tensor, index: Tensor) -> Tensor:
    """Picks along W: (B, W, ...) by (B, W') -> (B, W', ...)."""
    rows = torch.arange(values.shape[0], device=values.device)[:, None]
    return values[rows, index]
