"""What the states of all spellers share: an axis W of hypotheses behind that of utterances."""

import torch
from torch import Tensor


def pick_hypotheses(values: Tensor, index: Tensor) -> Tensor:
    """Keeps, repeats or re-orders hypotheses: values (B, W, ...) by index (B, W') int64 -> (B, W', ...)."""
    rows = torch.arange(values.shape[0], device=values.device)[:, None]
    return values[rows, index]
