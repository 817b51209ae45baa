"""How the learning rate and scheduled sampling move over a run: pure functions of the step."""

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
