"""A learner of float64 on made batches, alone or as one of several ranks: what test_learner.py compares.

python learning.py N_MICRO: prints losses and weights of three steps on 5, 3 and 1 utterances.
"""

import json
import sys

import torch
from torch import Tensor

from asr.audio.logmel import LogMel
from asr.dataset.batches import Batch, pad
from asr.models.asr_model import AsrModel
from asr.models.attention.additive import LocationAttention
from asr.models.listeners.conv_blstm import ConvBlstmListener
from asr.models.min_wer import NBest
from asr.models.spellers.lstm import LstmSpeller
from asr.ranks.group import Ranks, join_ranks
from asr.training.learner import Learner, LearnerSettings
from asr.training.objectives import GuidedAttention, MinWerObjective, SpellingObjective

STEPS = (5, 3, 1)  # utterances
SETTINGS = {
    "seed": 1,
    "n_steps": 10,
    "peak_lr": 1e-2,
    "warmup_steps": 2,
    "final_lr_share": 0.1,
    "weight_decay": 0.01,
    "clip_norm": 1.0,
    "precision": "fp32",
    "ema_decay": None,
}
GUIDED = GuidedAttention(weight=0.5, width=0.2, until_share=0.2, n_heads=None)
OBJECTIVE = SpellingObjective(
    ctc_weight=0.3, label_smoothing=0.1, scheduled_sampling=0.0, sos=2, eos=3, guided_attention=GUIDED
)


class Plain:
    """An augmentation that leaves everything as it is."""

    def on_samples(
        self, samples: Tensor, sample_lens: Tensor, speeds: Tensor, keys: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        return samples, sample_lens

    def on_features(self, features: Tensor, frame_lens: Tensor, keys: Tensor) -> Tensor:
        return features


def make_model(seed: int = 0) -> AsrModel:
    torch.manual_seed(seed)
    listener = ConvBlstmListener(n_mels=20, n_channels=3, d_hidden=6, n_layers=1, dropout=0.0)
    attention = LocationAttention(7, listener.d_output, d_attention=5, n_filters=2, filter_width=5)
    speller = LstmSpeller(attention, 9, d_embedding=4, d_hidden=7, n_layers=1, dropout=0.0)
    return AsrModel(LogMel(n_mels=20), listener, speller, 9).double()


def make_batch(numbers: list[int], counts: bool = True) -> Batch:
    """Utterances by number: noise of 0.3 to 0.8 s, 1 to 6 tokens."""
    rows, tokens = [], []
    for number in numbers:
        generator = torch.Generator().manual_seed(number)
        n_samples = int(torch.randint(4800, 12800, (), generator=generator))
        rows.append(torch.randn(n_samples, generator=generator, dtype=torch.float64) / 10)
        tokens.append(torch.randint(4, 9, (1 + number % 6,), generator=generator))
    samples, sample_lens = pad(rows)
    padded, token_lens = pad(tokens)
    keys = torch.tensor(numbers, dtype=torch.int64)
    ids = [f"utt-{number}" for number in numbers]
    speeds = torch.ones(len(numbers), dtype=torch.float64)
    return Batch(ids, samples, sample_lens, padded, token_lens, speeds, keys, torch.zeros(len(numbers), 0), counts)


def find(features: Tensor, frame_lens: Tensor, tokens: Tensor, token_lens: Tensor) -> NBest:
    """Stands for search: one to three made hypotheses of at most three tokens for each transcript."""
    rows = []
    for row, n in zip(tokens.tolist(), token_lens.tolist(), strict=True):
        generator = torch.Generator().manual_seed(sum(9**place * token for place, token in enumerate(row[:n])))
        hypotheses = torch.randint(4, 9, (3, 3), generator=generator)
        lens = torch.randint(0, 4, (3,), generator=generator)
        n_errors = torch.randint(0, 5, (3,), generator=generator)
        rows.append((hypotheses, lens, torch.arange(3) <= n % 3, n_errors))
    return NBest._make(torch.stack(column) for column in zip(*rows, strict=True))


def deal(numbers: list[int], ranks: Ranks, n_micro: int) -> list[Batch]:
    """This rank's micro-batches, as `TrainingSteps.share` deals them."""
    n_shares = ranks.n_ranks * n_micro
    shares = [numbers[ranks.rank + ranks.n_ranks * micro :: n_shares] for micro in range(n_micro)]
    return [make_batch(share or numbers[:1], bool(share)) for share in shares]


def learn(ranks: Ranks, n_micro: int) -> dict[str, list[float]]:
    """Three steps; losses, norms and all weights."""
    model = make_model(seed=ranks.rank)  # the first rank's weights must win
    learner = Learner(model, MinWerObjective(OBJECTIVE, find, joint_weight=0.5), LearnerSettings(**SETTINGS), ranks)
    steps = []
    for number, n_utterances in enumerate(STEPS):
        numbers = list(range(10 * number, 10 * number + n_utterances))
        steps.append(learner.step(number, deal(numbers, ranks, n_micro), Plain()))
    weights = torch.cat([each.detach().flatten() for each in model.parameters()])
    losses = [value for step in steps for value in (*step[:-1], *step.parts.values())]
    return {"losses": losses, "weights": weights.tolist()}


if __name__ == "__main__":
    with join_ranks(timeout_s=60.0) as us:
        print(json.dumps(learn(us, int(sys.argv[1]))))
