"""The linear layer: where float32 is multiplied on a CPU, and no gradient is asked for, by oneDNN."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Of fewer rows a product is bound by reading the weights once, and oneDNN would re-order them first.
FEWEST_ROWS = 8


class Linear(nn.Linear):
    """x Wᵀ + b, as `torch.nn.Linear` with the same parameters, by `linear`."""

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., d_input) -> (..., d_output)."""
        return linear(inputs, self.weight, self.bias)


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """X Wᵀ + b.

    torch multiplies float32 on a CPU by MKL, which on some processors leaves half of their vector width idle. oneDNN,
    which torch carries for its compiler, does not: ten rows, the hypotheses of one utterance, by 512 x 2048 weights
    take 0.14 ms instead of 0.31. It gives no gradients, so training multiplies as torch does.

    Args:
        inputs: (..., d_input).
        weight: (d_output, d_input).
        bias: (d_output,).

    Returns:
        (..., d_output).
    """
    plain = torch.is_grad_enabled() or not inputs.is_cpu or torch.is_autocast_enabled("cpu")
    if plain or inputs.dtype != torch.float32 or inputs.numel() < FEWEST_ROWS * inputs.shape[-1]:
        return F.linear(inputs, weight, bias)
    product: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
    return product
