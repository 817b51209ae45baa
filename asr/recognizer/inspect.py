"""What the model heard and where it listened, as a picture or as numbers."""

from dataclasses import fields
from pathlib import Path

import numpy as np
from torch import Tensor

from asr.audio.read import read_audio
from asr.recognizer.classifier import Classifier
from asr.recognizer.perplexity import TextModel
from asr.recognizer.pictures.maps import ALL, Map, View, maps_of
from asr.recognizer.pictures.page import draw
from asr.recognizer.recognizer import Recognizer
from asr.recognizer.sight import Sight, look
from asr.recognizer.task_error import TaskError
from asr.recognizer.trained import Trained


def inspect(trained: Trained, audio: Path, out: Path, *, text: str | None = None, view: View = ALL) -> None:
    """Draws log-mel, words, CTC posteriors and attention on one axis of time.

    Args:
        trained: The model.
        audio: A recording.
        out: The picture, its format by its suffix: .png, .svg or .pdf; or .npz, the same as arrays: the fields of
            `Sight`, and `maps` (n, R, S) with their `titles`, which would be drawn.
        text: The words to follow; None takes what the model hears.
        view: Whose attention.

    Raises:
        AudioError: The recording cannot be read.
        SightError: The model has no such layer, head or self-attention.
        TaskError: Words for a model that classifies; or a language model, which hears nothing.
        ValueError: Another suffix.
    """
    if isinstance(trained, TextModel):
        raise TaskError("this is a language model: it hears nothing, and there is nothing to see")
    samples, listener = read_audio(audio), view.of_listener or view.rollout
    if isinstance(trained, Classifier):
        if text is not None:
            raise TaskError("this model tells a label and writes no words: leave out the text")
        sight, title = trained.look(samples, listener=listener), f"{audio.name}, the label as heard"
    else:
        sight = _look(trained, samples, text, listener)
        title = f"{audio.name}, the words as {'heard' if text is None else 'told'}"
    maps = maps_of(sight, view)
    if out.suffix.lower() == ".npz":
        _write_numbers(out, sight, maps)
    else:
        draw(out, sight, maps, title)


def _look(recognizer: Recognizer, samples: np.ndarray, text: str | None, listener: bool) -> Sight:
    def tokens_of(states: Tensor, state_lens: Tensor) -> list[int]:
        if text is not None:
            return recognizer.tokenizer.encode(text)
        return list(recognizer.search(states, state_lens)[0].tokens)

    return look(recognizer.model, recognizer.tokenizer, samples, tokens_of, listener)


def _write_numbers(out: Path, sight: Sight, maps: list[Map]) -> None:
    values = {field.name: getattr(sight, field.name) for field in fields(sight)}
    arrays = {name: np.asarray(value) for name, value in values.items() if value is not None}
    arrays |= {"maps": np.stack([shown.weights for shown in maps]), "titles": np.array([shown.title for shown in maps])}
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("wb") as file:  # given a name, numpy would put .npz behind .NPZ
        np.savez_compressed(file, allow_pickle=False, **arrays)
