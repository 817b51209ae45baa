"""The lines of text files as utterances that make no sound: what a language model is trained on."""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from asr.corpora.manifest import Utterance
from asr.text.sentences import TextError, read_sentences


class Sentences(Sequence[Utterance]):
    """All lines of texts that are not empty, one text after the other, in memory as one string of bytes.

    Args:
        paths: Texts, as `read_sentences` takes them.
        language: Of every line.

    Attributes:
        seconds: (n,) float64 durations: zeros.
        fingerprint: SHA-256 of all lines.
        alphabet: Every character of the normalised lines but the blank, in order.

    Raises:
        TextError, OSError: See `read_sentences`; or there is no sentence.
    """

    def __init__(self, paths: Sequence[Path], language: str) -> None:
        self.language = language
        self._paths = list(paths)
        self._first: list[int] = []  # the number of each text's first sentence
        texts, ends, lines, alphabet = bytearray(), array("q", [0]), array("q"), set[str]()
        for path in paths:
            if path.suffix == ".jsonl":
                raise TextError(f"{path}: a manifest; a language model is trained on text, one sentence a line")
            self._first.append(len(lines))
            for line, sentence in read_sentences(path):
                texts += sentence.encode()
                ends.append(len(texts))
                lines.append(line)
                alphabet.update(sentence)
        if not lines:
            raise TextError(f"{', '.join(map(str, paths))}: no sentence in it")
        self._texts = bytes(texts)
        self._ends, self._lines = np.array(ends, np.int64), np.array(lines, np.int64)
        self.seconds: NDArray[np.float64] = np.zeros(len(lines))
        self.fingerprint = sha256(self._texts + self._ends.tobytes()).hexdigest()
        self.alphabet = "".join(sorted(alphabet - {" "}))

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, index: int) -> Utterance: ...
    @overload
    def __getitem__(self, index: slice) -> list[Utterance]: ...
    def __getitem__(self, index: int | slice) -> Utterance | list[Utterance]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        path = self._paths[bisect_right(self._first, number) - 1]
        text = self._texts[self._ends[number] : self._ends[number + 1]].decode()
        return Utterance(f"{path}:{self._lines[number]}", path, 0.0, 0.0, text, "", self.language)
