"""Texts to learn language from: one sentence a line."""

from collections.abc import Iterator
from pathlib import Path

from asr.text.normalize import normalize
from asr.text.open_text import BROKEN, lines_of, open_text


class TextError(ValueError):
    """A text that cannot be read, or holds nothing; the message says where."""


def read_sentences(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text that are not empty, normalised, each with its number from 1.

    Args:
        path: UTF-8; `.gz` and `.xz` are decompressed.

    Raises:
        TextError: A line is not UTF-8, or the file cannot be decompressed.
        OSError: The file cannot be read.
    """
    number = 0
    try:
        with open_text(path) as file:
            for number, line in enumerate(lines_of(path, file), 1):
                sentence = normalize(line.decode("utf-8-sig" if number == 1 else "utf-8"))
                if sentence:
                    yield number, sentence
    except UnicodeDecodeError as error:
        raise TextError(f"{path}:{number}: not UTF-8: byte {error.start} of the line") from error
    except BROKEN as error:
        raise TextError(f"{path}:{number + 1}: cannot be decompressed: {error}") from error
