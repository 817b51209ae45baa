"""The recurrent speller with input feeding."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asr.models.attention.memory import Memory, SpellerAttention
from asr.models.hypotheses import pick_hypotheses
from asr.models.linear import Linear
from asr.models.recurrent import LstmCell, open_forget_gates
from asr.models.spellers.interface import Spelling


@dataclass(frozen=True)
class LstmState:
    """Where each hypothesis stands. All tensors lead with (B, W).

    Attributes:
        hidden: (B, W, n_layers, d_hidden) outputs of the LSTM layers.
        cell: (B, W, n_layers, d_hidden) their cells.
        context: (B, W, D) what was last attended to.
        attention: (B, W, ...) the attention's own state.
    """

    hidden: Tensor
    cell: Tensor
    context: Tensor
    attention: Tensor

    def select(self, index: Tensor) -> "LstmState":
        """Keeps, repeats or re-orders hypotheses: index (B, W') int64 into W."""
        return LstmState(
            *(pick_hypotheses(value, index) for value in (self.hidden, self.cell, self.context, self.attention))
        )


class LstmSpeller(nn.Module):
    """LSTM with input feeding and attention (Chan et al. 2016, equations 6–8; input feeding: Luong et al. 2015).

    Each step reads the last token and the last context, attends with the new top state, and predicts the next token
    from state and context.

    Args:
        attention: Where to look.
        n_tokens: Size V of the vocabulary.
        d_embedding: Width of token embeddings.
        d_hidden: Width of the LSTM layers.
        n_layers: LSTM layers.
        dropout: Share of activations dropped, on embeddings and before the output.
    """

    spells_at_once = False

    def __init__(
        self,
        attention: SpellerAttention,
        n_tokens: int,
        d_embedding: int,
        d_hidden: int,
        n_layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.d_hidden = d_hidden
        self.embedding = nn.Embedding(n_tokens, d_embedding)
        widths = [d_embedding + attention.d_context] + [d_hidden] * (n_layers - 1)
        cells = [LstmCell(width, d_hidden) for width in widths]
        for cell in cells:
            open_forget_gates(cell, d_hidden)
        self.cells = nn.ModuleList(cells)
        self.to_readout = Linear(d_hidden + attention.d_context, d_hidden)
        self.to_logits = Linear(d_hidden, n_tokens)
        self.dropout = nn.Dropout(dropout)

    @property
    def head_names(self) -> list[str]:
        """See `Speller.head_names`."""
        return self.attention.head_names

    def memory(self, states: Tensor, state_lens: Tensor) -> Memory:
        """Prepares an utterance's states (B, S, D) for any number of steps and hypotheses."""
        return self.attention.memory(states, state_lens)

    def start(self, memory: Memory, width: int) -> LstmState:
        """The state of `width` hypotheses per utterance before the first token."""
        n_utterances = len(memory.states)
        zeros = memory.states.new_zeros(n_utterances, width, len(self.cells), self.d_hidden)
        context = memory.states.new_zeros(n_utterances, width, self.attention.d_context)
        return LstmState(zeros, zeros, context, self.attention.start(memory, width))

    def step(
        self, tokens: Tensor, state: LstmState, memory: Memory, look: bool = False
    ) -> tuple[Tensor, Tensor, LstmState]:
        """See `Speller.step`; the weights come at no cost here."""
        logits, weights, state = self._advance(tokens, state, memory)
        return logits.log_softmax(-1), weights, state

    def forward(self, tokens: Tensor, memory: Memory, sampling: float = 0.0, look: bool = False) -> Spelling:
        """See `Speller.__call__`; the weights come at no cost here."""
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

    def spell(self, tokens: Tensor, memory: Memory) -> Tensor:
        """See `Speller.spell`."""
        state = self.start(memory, tokens.shape[1])
        logits: list[Tensor] = []
        for last in tokens.unbind(-1):
            step_logits, _, state = self._advance(last, state, memory)
            logits.append(step_logits)
        return torch.stack(logits, 2)

    def _advance(self, tokens: Tensor, state: LstmState, memory: Memory) -> tuple[Tensor, Tensor, LstmState]:
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
        after = LstmState(
            torch.stack(hidden, 1).unflatten(0, shape), torch.stack(cell, 1).unflatten(0, shape), context, attention
        )
        return self.to_logits(self.dropout(readout)), weights, after
