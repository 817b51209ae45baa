"""The recurrent language model."""

from torch import Tensor, nn

from asr.models.language_models.language_model import LanguageModel
from asr.models.linear import Linear
from asr.models.recurrent import open_forget_gates, run_lstm
from asr.models.spellers.parallel_lstm import ParallelLstmState


class LstmLanguageModel(LanguageModel):
    """LSTM layers between embeddings and a linear layer, with dropout between them (Zaremba et al. 2014).

    Args:
        n_tokens: Size V of the vocabulary.
        d_embedding: Width of token embeddings.
        d_hidden: Width of the LSTM layers.
        n_layers: LSTM layers.
        dropout: Share of activations dropped, on embeddings, between layers and before the output.
    """

    def __init__(self, n_tokens: int, d_embedding: int, d_hidden: int, n_layers: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_tokens, d_embedding)
        between = dropout if n_layers > 1 else 0.0
        self.lstm = nn.LSTM(d_embedding, d_hidden, n_layers, batch_first=True, dropout=between)
        open_forget_gates(self.lstm, d_hidden)
        self.to_logits = Linear(d_hidden, n_tokens)
        self.dropout = nn.Dropout(dropout)

    def start(self, n_utterances: int, width: int) -> ParallelLstmState:
        """See `LanguageModel.start`."""
        shape = (n_utterances, width, self.lstm.num_layers, self.lstm.hidden_size)
        zeros = self.to_logits.weight.new_zeros(shape)
        return ParallelLstmState(zeros, zeros)

    def step(self, tokens: Tensor, state: ParallelLstmState) -> tuple[Tensor, ParallelLstmState]:
        """See `LanguageModel.step`."""
        hidden, cell = (each.flatten(0, 1).transpose(0, 1).contiguous() for each in (state.hidden, state.cell))
        inputs = self.dropout(self.embedding(tokens)).flatten(0, 1)[:, None]
        outputs, after = run_lstm(self.lstm, inputs, (hidden, cell))
        hidden, cell = (each.transpose(0, 1).unflatten(0, tokens.shape) for each in after)
        logits = self.to_logits(self.dropout(outputs[:, 0])).unflatten(0, tokens.shape)
        return logits.log_softmax(-1), ParallelLstmState(hidden, cell)

    def forward(self, tokens: Tensor) -> Tensor:
        """See `LanguageModel.forward`."""
        outputs, _ = run_lstm(self.lstm, self.dropout(self.embedding(tokens)))
        return self.to_logits(self.dropout(outputs))
