"""The recurrent speller without input feeding: all positions at once."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asr.models.attention.memory import Memory, SpellerAttention
from asr.models.hypotheses import pick_hypotheses
from asr.models.linear import Linear
from asr.models.recurrent import open_forget_gates, run_lstm
from asr.models.spellers.interface import Spelling
from asr.models.spellers.sampling import mix_in_own


@dataclass(frozen=True)
class ParallelLstmState:
    """Where each hypothesis stands.

    Attributes:
        hidden: (B, W, n_layers, d_hidden) outputs of the LSTM layers.
        cell: (B, W, n_layers, d_hidden) their cells.
    """

    hidden: Tensor
    cell: Tensor

    def select(self, index: Tensor) -> "ParallelLstmState":
        """Keeps, repeats or re-orders hypotheses: index (B, W') int64 into W."""
        return ParallelLstmState(pick_hypotheses(self.hidden, index), pick_hypotheses(self.cell, index))


class ParallelLstmSpeller(nn.Module):
    """LSTM whose attention feeds nothing back (Luong et al. 2015, equations 5–6, without section 3.3).

    The LSTM reads tokens alone, so it runs over a whole history in one call; all its outputs then attend in one
    batched product, and each token is predicted from output and context. The context takes no part in the next state:
    what input feeding would remember of where it looked, this speller has to find anew from the tokens.

    Args:
        attention: Where to look; of a kind whose weights depend on query and keys alone, not on earlier weights.
        n_tokens: Size V of the vocabulary.
        d_embedding: Width of token embeddings.
        d_hidden: Width of the LSTM layers.
        n_layers: LSTM layers.
        dropout: Share of activations dropped, on embeddings and before the output.
    """

    spells_at_once = True

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
        self.embedding = nn.Embedding(n_tokens, d_embedding)
        self.lstm = nn.LSTM(d_embedding, d_hidden, n_layers, batch_first=True)
        open_forget_gates(self.lstm, d_hidden)
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

    def start(self, memory: Memory, width: int) -> ParallelLstmState:
        """The state of `width` hypotheses per utterance before the first token."""
        shape = (len(memory.states), width, self.lstm.num_layers, self.lstm.hidden_size)
        zeros = memory.states.new_zeros(shape)
        return ParallelLstmState(zeros, zeros)

    def step(
        self, tokens: Tensor, state: ParallelLstmState, memory: Memory, look: bool = False
    ) -> tuple[Tensor, Tensor, ParallelLstmState]:
        """See `Speller.step`; the weights come at no cost here."""
        hidden, cell = (each.flatten(0, 1).transpose(0, 1).contiguous() for each in (state.hidden, state.cell))
        inputs = self.dropout(self.embedding(tokens)).flatten(0, 1)[:, None]
        outputs, after = run_lstm(self.lstm, inputs, (hidden, cell))
        hidden, cell = (each.transpose(0, 1).unflatten(0, tokens.shape) for each in after)
        logits, weights = self._look(outputs[:, 0].unflatten(0, tokens.shape), memory)
        return logits.log_softmax(-1), weights, ParallelLstmState(hidden, cell)

    def forward(self, tokens: Tensor, memory: Memory, sampling: float = 0.0, look: bool = False) -> Spelling:
        """See `Speller.__call__`; the weights come at no cost, and own tokens by a second pass (see `mix_in_own`)."""
        if sampling:
            with torch.no_grad():
                tokens = mix_in_own(tokens, self._spell(tokens, memory).logits, sampling)
        return self._spell(tokens, memory)

    def spell(self, tokens: Tensor, memory: Memory) -> Tensor:
        """See `Speller.spell`."""
        outputs, _ = run_lstm(self.lstm, self.dropout(self.embedding(tokens.flatten(0, 1))))
        logits, _ = self._look(outputs.unflatten(0, tokens.shape[:2]).flatten(1, 2), memory)
        return logits.unflatten(1, tokens.shape[1:])

    def _spell(self, tokens: Tensor, memory: Memory) -> Spelling:
        outputs, _ = run_lstm(self.lstm, self.dropout(self.embedding(tokens)))
        return Spelling(*self._look(outputs, memory))

    def _look(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Queries (B, Q, d_hidden), of positions or hypotheses -> logits (B, Q, V) and weights (B, Q, H, S)."""
        # To an attention without a past, positions are what hypotheses are: queries beside each other.
        context, weights, _ = self.attention(queries, self.attention.start(memory, queries.shape[1]), memory)
        readout = self.to_readout(self.dropout(torch.cat([queries, context], -1))).tanh()
        return self.to_logits(self.dropout(readout)), weights
