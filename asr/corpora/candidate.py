"""What a corpus loader hands to validation: utterances as the corpus claims them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

NOTHING_FURTHER: Mapping[str, str] = MappingProxyType({})
"""What most rows say beside what is known; one for all of them."""


class CorpusError(ValueError):
    """A corpus cannot be prepared; the message names what was looked for, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An utterance that nobody has checked yet.

    Attributes:
        id: name of the utterance; must turn out unique in its split.
        audio: the file that should hold it.
        text: the transcript as published, without the corpus's own mark-up.
        speaker: name of the speaker; empty where the corpus does not tell.
        fault: what the loader already knows to be wrong with it, and what to do; None when it saw nothing.
        start_s: where in the file it starts, in seconds.
        duration_s: how long it is, in seconds; None for all that follows.
        claimed_s: how long the corpus says that all of the file is; None where it does not.
        language: code of its language; None for the one that is given for the whole corpus.
        listed: where the corpus lists it, as `path:line`; empty where it is found by its name alone.
        further: what else its row in the manifest says, such as a label.
    """

    id: str
    audio: Path
    text: str
    speaker: str
    fault: str | None = None
    start_s: float = 0.0
    duration_s: float | None = None
    claimed_s: float | None = None
    language: str | None = None
    listed: str = ""
    further: Mapping[str, str] = field(default_factory=lambda: NOTHING_FURTHER)


Splits = dict[str, list[Candidate]]
"""Candidates by split name, in the order of the future manifests."""

Progress = Callable[[int, int], None]
"""Called with (done, total) as work proceeds."""
