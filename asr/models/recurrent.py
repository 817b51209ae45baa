"""A bidirectional LSTM layer that is exact for every utterance in a padded batch."""

import torch
from torch import Tensor, nn

from asr.models.linear import linear
from asr.models.masks import reverse_in_time

# oneDNN's bf16 kernel adds to the float32 gradient of the weights frame by frame. Beyond this many weights (14 MB) that
# gradient leaves the cache, and bf16 is slower than float32: 1.6 times at 2560 -> 512, 1.9 times at 2560 -> 1024.
MOST_WEIGHTS_IN_BF16 = 3_600_000


class BiLstm(nn.Module):
    """One bidirectional LSTM layer (Schuster & Paliwal 1997) whose backward direction starts at the true last frame.

    Two dense one-directional LSTMs, one of them on utterances reversed by their own lengths. Packed sequences give the
    same states but cost about seven times as much in training on a CPU, and a dense bidirectional LSTM reads padding.

    Args:
        d_input: Width of the input.
        d_hidden: Width of each direction; the output is twice as wide.
    """

    def __init__(self, d_input: int, d_hidden: int) -> None:
        super().__init__()
        self.d_output = 2 * d_hidden
        self.forwards = nn.LSTM(d_input, d_hidden, batch_first=True)
        self.backwards = nn.LSTM(d_input, d_hidden, batch_first=True)
        for direction in (self.forwards, self.backwards):
            open_forget_gates(direction, d_hidden)

    def forward(self, inputs: Tensor, lens: Tensor) -> Tensor:
        """Runs both directions.

        Args:
            inputs: (B, T, d_input), finite in the padding.
            lens: (B,) int64.

        Returns:
            (B, T, 2 d_hidden); values beyond a length are meaningless.
        """
        ahead, _ = run_lstm(self.forwards, inputs)
        back, _ = run_lstm(self.backwards, reverse_in_time(inputs, lens))
        back = reverse_in_time(back, lens)
        return torch.cat([ahead, back], dim=-1)


def run_lstm(
    lstm: nn.LSTM, inputs: Tensor, before: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Runs one direction; under bf16 autocast on a CPU, layers too large to gain from it run in float32.

    Args:
        lstm: `batch_first`.
        inputs: (B, T, d_input).
        before: Outputs and cells of each layer to start from, both (n_layers, B, d_hidden); None for zeros.

    Returns:
        Outputs (B, T, d_hidden) of the last layer, and outputs and cells of each layer after the last input.
    """
    n_weights = sum(weights.numel() for weights in lstm.parameters()) // lstm.num_layers
    if inputs.is_cpu and torch.is_autocast_enabled("cpu") and n_weights > MOST_WEIGHTS_IN_BF16:
        with torch.autocast("cpu", enabled=False):
            before = before and (before[0].float(), before[1].float())
            outputs, after = lstm(inputs.float(), before)
    else:
        outputs, after = lstm(inputs, before)
    return outputs, after


class LstmCell(nn.LSTMCell):
    """One step of an LSTM, as `torch.nn.LSTMCell` with the same parameters; its products are by `linear`."""

    def forward(self, inputs: Tensor, before: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Takes a step.

        Args:
            inputs: (B, d_input).
            before: The last outputs and cells, (B, d_hidden) each; None for zeros.

        Returns:
            Outputs and cells, (B, d_hidden) each.
        """
        hidden, cell = before or (inputs.new_zeros(len(inputs), self.hidden_size),) * 2
        gates = linear(inputs, self.weight_ih, self.bias_ih) + linear(hidden, self.weight_hh, self.bias_hh)
        enter, keep, new, leave = gates.chunk(4, -1)
        cell = keep.sigmoid() * cell + enter.sigmoid() * new.tanh()
        return leave.sigmoid() * cell.tanh(), cell


@torch.no_grad()
def open_forget_gates(lstm: nn.LSTM | nn.LSTMCell, d_hidden: int) -> None:
    """Starts with forget-gate biases of one, so that gradients reach far at first (Jozefowicz et al. 2015)."""
    for name, parameter in lstm.named_parameters():
        if "bias" in name:
            parameter.zero_()
        if "bias_ih" in name:
            parameter[d_hidden : 2 * d_hidden] = 1.0
