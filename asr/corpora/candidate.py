"""What a corpus loader hands to validation: utterances as the corpus claims them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


class CorpusError(ValueError):
    """A corpus cannot be prepared; the message names what was looked for, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An utterance that nobody has checked yet.

    Attributes:
        id: name of the utterance; must turn out unique in its split.
        audio: the file that should hold it, whole.
        text: the transcript as published, without the corpus's own mark-up.
        speaker: name of the speaker.
        fault: what the loader already knows to be wrong with it; None when it saw nothing.
    """

    id: str
    audio: Path
    text: str
    speaker: str
    fault: str | None = None


Splits = dict[str, list[Candidate]]
"""Candidates by split name, in the order of the future manifests."""

Progress = Callable[[int, int], None]
"""Called with (done, total) as work proceeds."""
