"""A closed set of labels: for tasks that name an utterance instead of writing what was said."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path


class LabelError(ValueError):
    """Labels that cannot be learnt, or that a model does not know; the message names them."""


class Labels:
    """A vocabulary whose every text is one token. Labels are taken as they are: case and blanks tell them apart.

    Args:
        names: Each label once, in the order of their ids from 0.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._ids = {name: number for number, name in enumerate(self.names)}

    @classmethod
    def train(cls, texts: Iterable[str]) -> "Labels":
        """Collects the labels of a training set.

        Raises:
            LabelError: Fewer than two, or one that cannot be shown on a line: empty, or with tabs or line ends in it.
        """
        names = sorted(set(texts))
        unfit = [name for name in names if not name.strip() or not name.isprintable()]
        if unfit:
            raise LabelError(f"label {unfit[0]!r}: expected text that can be shown on one line")
        if len(names) < 2:
            raise LabelError(f"the training set has the labels {list(names)}: expected at least two to tell apart")
        return cls(names)

    @classmethod
    def load(cls, path: Path) -> "Labels":
        """Reads a file that holds `model`.

        Raises:
            LabelError: It is no list of labels.
        """
        try:
            names = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise LabelError(f"{path}: not JSON: {error}") from error
        if not isinstance(names, list) or not all(isinstance(name, str) and name.isprintable() for name in names):
            raise LabelError(f"{path}: expected a list of labels, of one line each")
        return cls(names)

    @property
    def model(self) -> bytes:
        """The labels as a JSON list, in the order of their ids."""
        return (json.dumps(self.names, ensure_ascii=False, indent=1) + "\n").encode()

    @property
    def n_tokens(self) -> int:
        """How many there are."""
        return len(self.names)

    def __contains__(self, name: str) -> bool:
        return name in self._ids

    def encode(self, text: str) -> list[int]:
        """The id of a label, alone in a list.

        Raises:
            LabelError: No such label.
        """
        if text not in self._ids:
            raise LabelError(f"label {text!r} is unknown; known are {', '.join(map(repr, self.names))}")
        return [self._ids[text]]

    def count(self, texts: Sequence[str]) -> list[int]:
        """One token each."""
        return [1] * len(texts)

    def pieces(self, tokens: Iterable[int]) -> list[str]:
        """Names each id."""
        return [self.names[int(token)] for token in tokens]
