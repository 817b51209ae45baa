"""What recognition returns."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

Flag = Literal["max_length", "loop", "no_speech", "missing_text", "invented_text"]
"""Why to distrust a text; `asr.recognizer.flags.flags_of` defines each."""

# Terminal commands (ECMA-48): control sequences such as colours, and strings such as window titles.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]).*?(?:\x07|\x1b\\|\x9c|$)"
    r"|\x1b[ -/]*[0-~]",
    re.DOTALL,
)
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a text.

    Attributes:
        text: As it stands in the text, which is cut at white space.
        start_s: Where it starts, in seconds from the start of the recording; None where the model cannot tell: it has
            no CTC head, or translates.
        end_s: Where it ends.
        confidence: Probability that it is right, calibrated if its segment says so; None where nothing speaks for it.
        evidence: What the confidence was made of, see `asr.recognizer.confidence`.
    """

    text: str
    start_s: float | None = None
    end_s: float | None = None
    confidence: float | None = None
    evidence: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another text that search thought of.

    Attributes:
        text: What it says.
        score: Joint score of the search.
        scores: Unweighted sums of each scorer, by name.
    """

    text: str
    score: float
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of a recording with its text.

    Attributes:
        start_s: Where it starts, in seconds from the start of the recording.
        end_s: Where it ends.
        text: What was said.
        score: Score of the winning hypothesis as the search saw it (natural-log probability, higher is better).
        n_tokens: Tokens of the hypothesis, end of sentence not counted.
        finish: "eos" when the model ended the text itself, "max_length" when the length bound did: then distrust it.
        words: The words of the text.
        flags: Why to distrust it; empty for most.
        calibrated: Whether the words' confidences were fitted to a development set.
        n_best: All texts that the search returned, best first, this one among them; empty where it was asked for one.
    """

    start_s: float
    end_s: float
    text: str
    score: float
    n_tokens: int
    finish: Literal["eos", "max_length"] = "eos"
    words: tuple[Word, ...] = ()
    flags: tuple[Flag, ...] = ()
    calibrated: bool = False
    n_best: tuple[Alternative, ...] = ()

    @property
    def mean_score(self) -> float:
        """Score per token, end of sentence included: what whisper calls avg_logprob."""
        return self.score / (self.n_tokens + 1)


@dataclass(frozen=True, slots=True)
class Transcript:
    """The text of one recording.

    Attributes:
        id: Utterance id from a manifest, or the audio file's name.
        audio: The file it was read from; None when samples were passed in.
        duration_s: Length of the audio as decoded.
        language: Language code of the model.
        segments: The recording cut into stretches, in order; one of the full duration unless the recording was cut.
            Long pauses are stretches of their own, without text.
    """

    id: str
    audio: Path | None
    duration_s: float
    language: str
    segments: tuple[Segment, ...]

    @property
    def text(self) -> str:
        """The texts of all segments, joined by blanks."""
        return " ".join(segment.text for segment in self.segments if segment.text)

    @property
    def score(self) -> float:
        """The sum of the segments' scores."""
        return sum(segment.score for segment in self.segments)

    @property
    def calibrated(self) -> bool:
        """Whether all confidences are calibrated."""
        return all(segment.calibrated for segment in self.segments)

    @property
    def flags(self) -> tuple[Flag, ...]:
        """The flags that any segment has, each once; `no_speech` only where all have it: any recording has pauses."""
        found = {flag: [flag in segment.flags for segment in self.segments] for flag in get_args(Flag)}
        return tuple(flag for flag, has in found.items() if any(has) and (flag != "no_speech" or all(has)))

    @property
    def finish(self) -> Literal["eos", "max_length"]:
        """Whether every segment came to its end ("eos") or any ran into its length bound ("max_length")."""
        return "max_length" if any(segment.finish == "max_length" for segment in self.segments) else "eos"


def clean(text: str) -> str:
    """Makes text safe to print and to put on one line.

    Terminal escape sequences, control characters, lone surrogates and bidirectional overrides go (training text may
    hold any of them, and a model can learn to write them); a run of white space becomes one blank.
    """
    text = _ESCAPES.sub(" ", text)
    kept = (" " if char.isspace() else char for char in text if char not in _BIDI_CONTROLS)
    return " ".join("".join(char for char in kept if unicodedata.category(char) not in ("Cc", "Cs")).split())
