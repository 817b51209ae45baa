"""Equal bits from equal runs."""

import os
import warnings

import torch


def be_deterministic() -> None:
    """Makes torch choose operations that give the same bits each time; where a GPU has none, it warns and goes on.

    On a CPU every operation used here is deterministic as it is, for one number of threads. On a GPU the CTC loss's
    gradient is not: it adds up with atomics. To be called before the GPU is first used.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    warnings.filterwarnings("default", message=".*does not have a deterministic implementation.*")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
