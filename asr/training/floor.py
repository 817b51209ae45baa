"""What training could do at best: the work in a second of audio or in a token, and how fast this machine multiplies."""

import math
import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch

from asr.audio.read import RATE_HZ
from asr.dataset.batches import Batch
from asr.models.language_models.language_model import LanguageModel
from asr.models.listening_model import ListeningModel
from asr.training.objectives import Objective

MATMUL_SIZE = 2048
TRAINING_FACTOR = 3  # backward costs twice forward


class Floor(NamedTuple):
    """Measured bounds.

    Attributes:
        flop_per_unit: Floating-point operations of a forward pass per unit.
        matmul_rate: Operations per second of a large matrix product, in the precision of training.
        unit: What is counted: seconds of audio, or tokens where there is none.
    """

    flop_per_unit: float
    matmul_rate: float
    unit: Literal["audio_s", "tokens"] = "audio_s"

    @property
    def units_per_s(self) -> float:
        """Units per second, if training were nothing but matrix products at full speed."""
        return self.matmul_rate / (TRAINING_FACTOR * self.flop_per_unit)


@torch.no_grad()  # not in inference mode: the counter hooks gradients of parameters that are handed to a module
def forward_flop(model: ListeningModel | LanguageModel, objective: Objective, batch: Batch) -> float:
    """Operations of one utterance's forward pass per second of audio, or per token where it makes no sound.

    Those of matrix products, convolutions and LSTMs.
    """
    device = next(model.parameters()).device
    samples, lens = batch.samples[:1, : batch.sample_lens[0]].to(device), batch.sample_lens[:1].to(device)
    tokens, token_lens = batch.tokens[:1, : batch.token_lens[0]].to(device), batch.token_lens[:1].to(device)
    n_flop = count_flop(lambda: objective(model.eval(), *model.features(samples, lens), tokens, token_lens, 0.0))
    return n_flop * RATE_HZ / float(lens[0]) if lens[0] else n_flop / float(token_lens[0] + 1)


def count_flop(work: Callable[[], object]) -> int:
    """Operations that some work takes: those of matrix products, fused attention, convolutions and LSTMs."""
    from torch.utils.flop_counter import FlopCounterMode  # loads triton, which nothing else needs

    counter = FlopCounterMode(display=False, custom_mapping=_KERNELS)
    with counter:
        work()
    return int(counter.get_total_flops())


def matmul_rate(device: torch.device, precision: str) -> float:
    """Operations per second of a square matrix product, the best of five."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    square = torch.rand(MATMUL_SIZE, MATMUL_SIZE, device=device).to(dtype)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        float((square @ square)[0, 0])
        times.append(time.perf_counter() - start)
    return 2 * MATMUL_SIZE**3 / min(times)


def _lstm_flop(inputs: Any, to_input: Any, to_hidden: Any, *_: Any, **__: Any) -> int:
    """Two operations per weight, frame and utterance, from shapes (T, B, I), (4 H, I), (4 H, H)."""
    n_frames, n_utterances, _ = inputs
    return 2 * n_frames * n_utterances * (to_input[0] * to_input[1] + to_hidden[0] * to_hidden[1])


def _cudnn_flop(inputs: Any, weights: Any, *_: Any, **__: Any) -> int:
    """The same from shapes (T, B, I) and those of all weights of a layer, biases among them."""
    n_frames, n_utterances = (inputs[1], inputs[0])
    return 2 * n_frames * n_utterances * sum(shape[0] * shape[1] for shape in weights if len(shape) == 2)


def _attention_flop(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    """Two operations per query, key and width, once for the energies and once for the context: shapes (B, H, T, K)."""
    n_utterances, n_heads, n_queries, d_key = query
    return 2 * n_utterances * n_heads * n_queries * key[2] * (d_key + value[3])


def _linear_flop(inputs: Any, weight: Any, *_: Any, **__: Any) -> int:
    """Two operations per row and weight: shapes (..., I), (O, I)."""
    return 2 * math.prod(inputs) * int(weight[0])


# What torch's counter has no formula for.
_KERNELS = {
    torch.ops.mkldnn._linear_pointwise: _linear_flop,
    torch.ops.aten.mkldnn_rnn_layer: _lstm_flop,
    torch.ops.aten._cudnn_rnn: _cudnn_flop,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flop,
}
