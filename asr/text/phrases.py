"""Phrases to be listened for: names and words that a recogniser would otherwise miss."""

import math
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from asr.text.normalize import normalize
from asr.text.open_text import refuse_special


class PhraseError(ValueError):
    """A list of phrases that cannot be used; the message names file and line, one fault per line."""


class Phrase(NamedTuple):
    """Words that are likelier here than elsewhere.

    Attributes:
        text: Normalised, not empty.
        weight: Multiplies what the whole list weighs; more than 0.
    """

    text: str
    weight: float = 1.0


def read_phrases(path: Path, alphabet: AbstractSet[str]) -> list[Phrase]:
    """Reads a list: UTF-8, a phrase on each line, behind a tab its weight if that is not 1; empty lines mean nothing.

    Phrases are normalised as transcripts are. One that is listed twice counts once, with its greater weight.

    Args:
        path: The file.
        alphabet: Characters that the model can write, the blank among them.

    Raises:
        PhraseError: A phrase that the model cannot write, or a weight that is none; all faults at once.
        OSError: The file cannot be read.
    """
    refuse_special(path)
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise PhraseError(f"{path}: not UTF-8 text: byte {error.start}") from None
    weights: dict[str, float] = {}
    faults = []
    for number, line in enumerate(lines, 1):
        written, _, weight = line.partition("\t")
        text = normalize(written)
        if not text and not weight.strip():
            continue
        value, fault = _weight(weight)
        if missing := sorted(set(text) - alphabet):
            fault = f"phrase {text!r}: the model has no token for {' '.join(missing)}"
        elif not text:
            fault = "a weight without a phrase"
        if fault:
            faults.append(f"{path}:{number}: {fault}")
        else:
            weights[text] = max(weights.get(text, 0.0), value)
    if faults:
        raise PhraseError("\n".join(faults))
    return [Phrase(text, weight) for text, weight in weights.items()]


def _weight(written: str) -> tuple[float, str]:
    """The number that is written, and what is wrong with it."""
    try:
        value = float(written) if written.strip() else 1.0
    except ValueError:
        value = math.nan
    return value, "" if 0 < value < math.inf else f"weight {written.strip()!r}: expected a number above 0"
