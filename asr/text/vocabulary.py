"""What training asks of the targets' side: a tokenizer of texts, or a set of labels."""

from collections.abc import Sequence
from typing import Protocol


class Vocabulary(Protocol):
    """Turns what is to be said of an utterance into ids below `n_tokens`."""

    @property
    def model(self) -> bytes:
        """All there is to it, as it is kept in a model's folder."""

    @property
    def n_tokens(self) -> int:
        """Size V."""

    def encode(self, text: str) -> list[int]:
        """The ids of a text."""

    def count(self, texts: Sequence[str]) -> list[int]:
        """How many ids each of many texts has."""
