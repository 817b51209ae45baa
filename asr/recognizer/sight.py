"""What a model saw of one utterance: features, attention of every head, CTC posteriors, all with their times."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from asr.audio.read import RATE_HZ
from asr.models.asr_model import AsrModel
from asr.models.listening_model import ListeningModel
from asr.models.objective import history_of
from asr.recognizer.decode import long_enough
from asr.text.tokenizer import Tokenizer


class SightError(ValueError):
    """A part of the model is asked for that it does not have; the message names what there is."""


@dataclass(frozen=True, eq=False)
class Sight:
    """One utterance as the model saw it; every array on one axis of seconds.

    Attributes:
        duration_s: Length of the audio, at least that of what the listener was given.
        features: (T, M) log-mel, normalised.
        frames_s: Where the first frame begins and the last ends; frames lie evenly between.
        states_s: The same of the S states.
        pieces: The U + 1 tokens that were written, the end included, as `Tokenizer.pieces` names them.
        heads: Names of the speller's H heads, such as "layer 1 head 2".
        attention: (H, U + 1, S) where each looked for each token.
        vocabulary: Names of the V tokens.
        posteriors: (S, V) of CTC, each row sums to one; None for a model without a CTC head.
        listener: (L, H', S, S) self-attention of the listener, lowest layer first; None if it was not asked for.
    """

    duration_s: float
    features: np.ndarray
    frames_s: tuple[float, float]
    states_s: tuple[float, float]
    pieces: list[str]
    heads: list[str]
    attention: np.ndarray
    vocabulary: list[str]
    posteriors: np.ndarray | None = None
    listener: np.ndarray | None = None


@torch.inference_mode()
def look(
    model: AsrModel,
    tokenizer: Tokenizer,
    samples: np.ndarray,
    tokens_of: Callable[[Tensor, Tensor], Sequence[int]],
    listener: bool = False,
) -> Sight:
    """Lets a model hear one utterance and spell given tokens, and keeps what it looked at.

    Args:
        model: In evaluation mode.
        tokenizer: Of the model.
        samples: (N,) float32, 16 kHz.
        tokens_of: From states (1, S, D) and state_lens (1,) to the tokens to spell, without start and end: a search,
            or a function that knows the transcript.
        listener: Keep the listener's self-attention, too.

    Raises:
        SightError: The listener has no self-attention.
    """
    samples = long_enough(samples)
    device = next(model.parameters()).device
    features, frame_lens = model.features(
        torch.from_numpy(samples)[None].to(device), torch.tensor([len(samples)], device=device)
    )
    states, state_lens = model.encode(features, frame_lens)
    tokens = list(tokens_of(states, state_lens))
    history = history_of(torch.tensor([tokens], dtype=torch.int64, device=device), tokenizer.sos)
    weights = model.speller(history, model.speller.memory(states, state_lens), look=True).weights
    assert weights is not None
    n_frames, n_states = features.shape[1], states.shape[1]
    return Sight(
        duration_s=len(samples) / RATE_HZ,
        features=array_of(features[0]),
        frames_s=model.front_end.span_s(n_frames),
        states_s=model.front_end.span_s(n_states * model.listener.time_reduction),
        pieces=tokenizer.pieces([*tokens, tokenizer.eos]),
        heads=list(model.speller.head_names),
        attention=array_of(weights[0].transpose(0, 1)),
        vocabulary=tokenizer.pieces(range(tokenizer.n_tokens)),
        posteriors=array_of(model.ctc_log_probs(states)[0].exp()) if model.ctc_head else None,
        listener=listener_maps(model, features, frame_lens) if listener else None,
    )


def listener_maps(model: ListeningModel, features: Tensor, frame_lens: Tensor) -> np.ndarray:
    """Self-attention of the listener, (L, H', S, S), of one utterance.

    Raises:
        SightError: It has none.
    """
    maps = getattr(model.listener, "attention_maps", None)
    if maps is None:
        raise SightError(
            f"the listener, a {type(model.listener).__name__}, has no self-attention: only attention to its states "
            "can be seen, without rollout"
        )
    return array_of(maps(features, frame_lens)[0])


def array_of(values: Tensor) -> np.ndarray:
    """A tensor as a float32 array."""
    return values.float().cpu().numpy()
