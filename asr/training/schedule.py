"""How the learning rate and what belongs to the loss move over a run: pure functions of how far it is."""

import math


def learning_rate(step: int, n_steps: int, warmup_steps: int, peak_lr: float, final_lr_share: float) -> float:
    """Rises in a line to the peak, then falls along half a cosine (Loshchilov & Hutter 2017) to a share of it."""
    if step < warmup_steps:
        return peak_lr * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, n_steps - warmup_steps)
    return peak_lr * (final_lr_share + (1.0 - final_lr_share) * 0.5 * (1.0 + math.cos(math.pi * progress)))


def sampling_probability(run_share: float, final: float) -> float:
    """Scheduled sampling (Bengio et al. 2015): none in the first quarter of a run, then a line to `final` at half."""
    return final * min(1.0, max(0.0, 4.0 * run_share - 1.0))


def guide_weight(run_share: float, until_share: float, first: float) -> float:
    """Guided attention's weight: `first` at the first step, falling in a line to none at a share of the run."""
    return first * max(0.0, 1.0 - run_share / until_share)
