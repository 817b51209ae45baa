"""A picture of what the model heard and where it listened."""

from pathlib import Path

import numpy as np
import torch

from asr.audio.read import RATE_HZ, read_audio
from asr.models.asr_model import AsrModel
from asr.models.objective import history_of
from asr.recognizer.picture import attention_picture
from asr.recognizer.recognizer import Recognizer
from asr.text.tokenizer import Tokenizer


def inspect(recognizer: Recognizer, audio: Path, out: Path, *, text: str | None = None) -> None:
    """Draws log-mel and attention over time, with the words.

    Args:
        recognizer: The model.
        audio: A recording.
        out: The picture to write, PNG or SVG by its suffix.
        text: The words to follow; None takes what the model hears.

    Raises:
        AudioError: The recording cannot be read.
    """
    samples = read_audio(audio)
    if text is None:
        tokens = list(recognizer.search(*recognizer.listen([samples]))[0].tokens)
    else:
        tokens = recognizer.tokenizer.encode(text)
    draw(recognizer.model, recognizer.tokenizer, samples, tokens, out)


def draw(model: AsrModel, tokenizer: Tokenizer, samples: np.ndarray, tokens: list[int], out: Path) -> None:
    """Draws the attention of a teacher-forced pass over the tokens of one utterance; samples (N,) float32, 16 kHz."""
    device = next(model.parameters()).device
    with torch.inference_mode():
        lens = torch.tensor([len(samples)], device=device)
        features, frame_lens = model.features(torch.from_numpy(samples)[None].to(device), lens)
        history = history_of(torch.tensor([tokens], dtype=torch.int64, device=device), tokenizer.sos)
        weights = model(features, frame_lens, history, look=True).weights[0, : len(tokens)].mean(1)
    out.parent.mkdir(parents=True, exist_ok=True)
    attention_picture(
        out, features[0].cpu().numpy(), weights.cpu().numpy(), tokenizer.pieces(tokens), len(samples) / RATE_HZ
    )
