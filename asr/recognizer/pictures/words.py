"""Words of a row of tokens, and the times at which they were looked for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asr.recognizer.transcript import clean

WORD_START = "\u2581"  # sentencepiece's mark
_SPECIAL = {"</s>": "end", "<s>": "start", "<unk>": "?", "<pad>": "blank"}
_MAX_LABEL = 16  # characters


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the transcript.

    Attributes:
        text: As written.
        first: Its first token.
        last: Its last.
        time_s: When it was looked for.
    """

    text: str
    first: int
    last: int
    time_s: float


def words_of(pieces: Sequence[str], weights: np.ndarray, span_s: tuple[float, float]) -> list[Word]:
    """Joins pieces to words; a word's time is the median, over its pieces, of the middle of the state most looked at.

    Args:
        pieces: The R tokens as `Tokenizer.pieces` names them: a word's first piece begins with "▁".
        weights: (R, S) attention.
        span_s: Where the first state begins and the last ends.
    """
    groups: list[list[int]] = []
    for row, piece in enumerate(pieces):
        if piece in _SPECIAL and piece != "<unk>":
            continue
        if piece.startswith(WORD_START) or not groups or groups[-1][-1] != row - 1:
            groups.append([])
        groups[-1].append(row)
    start, end = span_s
    peaks_s = start + (weights.argmax(axis=1) + 0.5) * (end - start) / weights.shape[1]
    words = []
    for group in groups:
        text = clean("".join(_SPECIAL.get(pieces[row], pieces[row]) for row in group).replace(WORD_START, ""))
        if text:
            letters = [row for row in group if pieces[row] != WORD_START]
            words.append(Word(text, group[0], group[-1], float(np.median(peaks_s[letters]))))
    return words


def name_of(piece: str) -> str:
    """A token's label; ␣ for the bare start of a word."""
    return clean(_SPECIAL.get(piece, piece.replace(WORD_START, "") or "\u2423"))[:_MAX_LABEL]


def row_labels(pieces: Sequence[str], words: Sequence[Word], n_room: int) -> dict[float, str]:
    """Names rows: every token while there is room for so many, else every word at its middle, else some words."""
    if len(pieces) <= n_room:
        return {row: name_of(piece) for row, piece in enumerate(pieces)}
    labels: dict[float, str] = {}
    free_from = 0.0
    for word in words:
        middle = (word.first + word.last) / 2
        if middle >= free_from:
            labels[middle] = word.text[:_MAX_LABEL]
            free_from = middle + len(pieces) / n_room
    return labels


def in_lines(times_s: Sequence[float], widths_s: Sequence[float], n_lines: int) -> list[int | None]:
    """Puts labels around their times, each in the first line where it overlaps no other; None where no line has room.

    Args:
        times_s: Of the labels.
        widths_s: How much of the axis each one covers.
        n_lines: Lines there are.
    """
    free_from = [-np.inf] * n_lines
    lines: list[int | None] = [None] * len(times_s)
    for index in np.argsort(times_s, kind="stable"):
        start = times_s[index] - widths_s[index] / 2
        line = next((line for line in range(n_lines) if free_from[line] <= start), None)
        if line is not None:
            lines[index] = line
            free_from[line] = start + widths_s[index]
    return lines
