"""An utterance as some file tells it, and how faults of many lines are told."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from asr.audio.read import Part, Samples, read_audio
from asr.scoring.errors import ScoringError

Side = Literal["reference", "hypothesis"]
_N_LISTED = 20


@dataclass(frozen=True, slots=True)
class Clip:
    """Where an utterance can be heard: a file, a stretch of one, or a part of a tar; None is its end."""

    path: Path
    start_s: float = 0.0
    duration_s: float | None = None
    part: Part | None = None

    def read(self) -> Samples:
        """Decodes it: samples (N,), float32 in [-1, 1], 16 kHz.

        Raises:
            AudioError: It cannot be read.
        """
        return read_audio(self.path, start_s=self.start_s, duration_s=self.duration_s, part=self.part)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an utterance beside its texts, all of it optional.

    Attributes:
        speaker: Who speaks.
        corpus: Where it is from.
        duration_s: How long it is, in seconds.
        clip: Where it can be heard.
        confidences: Of each word of the hypothesis, the probability that it is right, as the recogniser sees it.
        flags: What speaks against the hypothesis, as the recogniser sees it.
    """

    speaker: str | None = None
    corpus: str | None = None
    duration_s: float | None = None
    clip: Clip | None = None
    confidences: tuple[float, ...] | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One utterance of a file: its id (its line's number where there are no ids), its text, and what else is known."""

    id: str
    text: str
    known: Known = Known()


def refuse(faults: Sequence[str]) -> None:
    """Raises a ScoringError of all faults, the first of them listed, if there are any."""
    if faults:
        more = [f"… and {len(faults) - _N_LISTED} more"] if len(faults) > _N_LISTED else []
        raise ScoringError("\n".join([*faults[:_N_LISTED], *more]))
