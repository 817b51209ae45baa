"""What the states of all spellers share: an axis W of hypotheses behind that of utterances."""

import torch
from torch import Tensor


def pick_hypotheses(values: Tensor, index: Tensor) -> Tensor:
    """Keeps, repeats or re-orders hypotheses: values (B, W, ...) by index (B, W') int64 -> (B, W', ...)."""
    # By whole rows: indexing with two tensors copies number by number, up to four times as slow where rows are long.
    n_utterances, width = values.shape[:2]
    firsts = torch.arange(n_utterances, device=values.device)[:, None] * width
    return values.flatten(0, 1).index_select(0, (firsts + index).flatten()).unflatten(0, index.shape)
