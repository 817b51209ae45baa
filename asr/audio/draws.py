"""Random draws of one utterance for one purpose: a few on the CPU, many on any device, equal everywhere."""

import hashlib

import torch
from torch import Tensor

_MASK = 0xFFFF_FFFF


def sub_key(key: int, purpose: str) -> int:
    """A 63-bit key for one purpose of an utterance's key, so that draws for one never shift those for another."""
    digest = hashlib.blake2b(f"{key}\x1f{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def uniforms(key: int, purpose: str, n_draws: int) -> list[float]:
    """A few draws from [0, 1)."""
    draws = torch.Generator().manual_seed(sub_key(key, purpose))
    return torch.rand(n_draws, generator=draws, dtype=torch.float64).tolist()


def many_uniforms(keys: list[int], purpose: str, n_draws: int, device: torch.device) -> Tensor:
    """Many draws per utterance, made where they are used: a hash of (key, position), the same on every device.

    Args:
        keys: One per row.
        purpose: What the draws are for.
        n_draws: Per row.
        device: Where they are made.

    Returns:
        (rows, n_draws) float64 in [0, 1), multiples of 2^-32.
    """
    starts = torch.tensor([sub_key(key, purpose) & _MASK for key in keys], dtype=torch.int64).to(device)
    positions = _scramble(torch.arange(n_draws, device=device))
    return _scramble(positions + starts[:, None]).double() / 2**32


def _scramble(values: Tensor) -> Tensor:
    """Mixes the low 32 bits of int64 values (the "lowbias32" function of C. Wellons' search for such hashes, 2018)."""
    values = values & _MASK
    values = ((values ^ (values >> 16)) * 0x7FEB352D).bitwise_and_(_MASK)
    values = ((values ^ (values >> 15)) * 0x846CA68B).bitwise_and_(_MASK)
    return values ^ (values >> 16)
