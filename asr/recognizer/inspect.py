"""What the model heard and where it listened, as a picture or as numbers."""

from dataclasses import fields
from pathlib import Path

import numpy as np
from torch import Tensor

from asr.audio.read import read_audio
from asr.recognizer.pictures.maps import ALL, Map, View, maps_of
from asr.recognizer.pictures.page import draw
from asr.recognizer.recognizer import Recognizer
from asr.recognizer.sight import Sight, look


def inspect(recognizer: Recognizer, audio: Path, out: Path, *, text: str | None = None, view: View = ALL) -> None:
    """Draws log-mel, words, CTC posteriors and attention on one axis of time.

    Args:
        recognizer: The model.
        audio: A recording.
        out: The picture, its format by its suffix: .png, .svg or .pdf; or .npz, the same as arrays: the fields of
            `Sight`, and `maps` (n, R, S) with their `titles`, which would be drawn.
        text: The words to follow; None takes what the model hears.
        view: Whose attention.

    Raises:
        AudioError: The recording cannot be read.
        SightError: The model has no such layer, head or self-attention.
        ValueError: Another suffix.
    """
    samples = read_audio(audio)

    def tokens_of(states: Tensor, state_lens: Tensor) -> list[int]:
        if text is not None:
            return recognizer.tokenizer.encode(text)
        return list(recognizer.search(states, state_lens)[0].tokens)

    sight = look(recognizer.model, recognizer.tokenizer, samples, tokens_of, view.of_listener or view.rollout)
    maps = maps_of(sight, view)
    if out.suffix.lower() == ".npz":
        _write_numbers(out, sight, maps)
    else:
        draw(out, sight, maps, f"{audio.name}, the words as {'heard' if text is None else 'told'}")


def _write_numbers(out: Path, sight: Sight, maps: list[Map]) -> None:
    values = {field.name: getattr(sight, field.name) for field in fields(sight)}
    arrays = {name: np.asarray(value) for name, value in values.items() if value is not None}
    arrays |= {"maps": np.stack([shown.weights for shown in maps]), "titles": np.array([shown.title for shown in maps])}
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("wb") as file:  # given a name, numpy would put .npz behind .NPZ
        np.savez_compressed(file, allow_pickle=False, **arrays)
