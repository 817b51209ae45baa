"""Decode every file of a corpus and refuse, with a reason each, the utterances that would break training or scoring."""

import unicodedata
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from asr.audio.read import AudioError, AudioScan, scan_audio
from asr.corpora.candidate import Candidate, Progress
from asr.corpora.manifest import Utterance, whole_file
from asr.text.normalize import normalize

MIN_DURATION_S = 0.1
"""Anything shorter holds no word."""

MAX_CHARACTERS_PER_S = 35.0
"""Nobody speaks more characters per second (fast English has about 20): such audio and text do not belong together."""

HEADER_TOLERANCE_S = 0.1
"""How far the decoded length may lie from the header's."""

CLAIM_TOLERANCE_S = 0.5
"""How far the decoded length may lie from what a list of the corpus claims: published lists are often that far off."""

SILENT_PEAK = 3e-4
"""A file that never leaves this range (-70 dB of full scale, ten steps of 16 bits) is silent."""

_N_THREADS = 2
_AT_ONCE = 256  # candidates handed to the threads
_NO_TEXT = ("Cc", "Cs")  # Unicode's categories of control characters and halves of pairs
# Characters that turn the direction of what follows, and a byte-order mark where none belongs.
_STEERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason why one utterance was refused.

    Attributes:
        id: the utterance.
        audio: its file.
        reason: what is wrong with it, and what to do.
        listed: where the corpus lists it, as `path:line`; empty where it does not.
    """

    id: str
    audio: Path
    reason: str
    listed: str = ""

    def in_words(self) -> str:
        """One line for a terminal; whoever prints it makes it printable."""
        where = self.listed or str(self.audio)
        name = "" if where.endswith(self.id) else f" {self.id}:"
        return f"{where}:{name} {' '.join(self.reason.split())}"


class Validated(NamedTuple):
    """What became of candidates, in their order.

    Attributes:
        utterances: those that passed.
        further: what else the row of each of these says.
        faults: all faults of the others.
    """

    utterances: list[Utterance]
    further: list[dict[str, str | int]]
    faults: list[Fault]


def validate(candidates: Iterable[Candidate], language: str, progress: Progress) -> Validated:
    """Check the candidates of one split against their decoded audio.

    Args:
        candidates: utterances as the corpus claims them.
        language: code of the language of those that do not say theirs.
        progress: called with (checked, all).

    Returns:
        The utterances that passed, and all faults of those that did not.
    """
    candidates = list(candidates)
    found = Validated([], [], [])
    seen: set[str] = set()
    with ThreadPoolExecutor(_N_THREADS) as pool:
        for n_done, (candidate, scan) in enumerate(_scan_all(candidates, pool), start=1):
            text = normalize(candidate.text)
            reasons = _find_faults(candidate, text, scan)
            if candidate.id in seen:
                reasons.append("duplicate id: an utterance before it has the same; give each its own")
            seen.add(candidate.id)
            found.faults.extend(Fault(candidate.id, candidate.audio, reason, candidate.listed) for reason in reasons)
            if not reasons and isinstance(scan, AudioScan):
                where = (candidate.audio, candidate.start_s, scan.duration_s)
                found.utterances.append(
                    Utterance(candidate.id, *where, text, candidate.speaker, candidate.language or language)
                )
                found.further.append({**candidate.further, "rate_hz": scan.rate_hz})
            progress(n_done, len(candidates))
    return found


def write_faults(path: Path, faults: Iterable[Fault]) -> None:
    """Write the list of faults atomically; tabs, line ends and what steers a terminal become blanks or escapes."""
    rows = [("id", "file", "reason", "listed in")]
    rows += [(fault.id, str(fault.audio), fault.reason, fault.listed) for fault in faults]
    lines = ["\t".join(_visible(" ".join(field.split())) for field in row) + "\n" for row in rows]
    with whole_file(path) as file:
        file.write("".join(lines).encode("utf-8", "backslashreplace"))


def find_unprintable(text: str) -> str | None:
    """The first character of a text that is none, or that steers what shows it; white space is fine."""
    if text.isprintable():  # most are, and this is soon asked
        return None
    for character in text:
        if character in _STEERING or (unicodedata.category(character) in _NO_TEXT and not character.isspace()):
            return character
    return None


def _visible(field: str) -> str:
    return "".join(repr(c)[1:-1] if find_unprintable(c) else c for c in field)


def _scan_all(
    candidates: Iterable[Candidate], pool: ThreadPoolExecutor
) -> Iterator[tuple[Candidate, AudioScan | AudioError | None]]:
    """Scans a chunk at a time, since a pool takes memory for all that is handed to it."""
    waiting = iter(candidates)
    while chunk := list(islice(waiting, _AT_ONCE)):
        yield from zip(chunk, pool.map(_scan, chunk), strict=True)


def _scan(candidate: Candidate) -> AudioScan | AudioError | None:
    if candidate.fault is not None:
        return None
    try:
        return scan_audio(candidate.audio, start_s=candidate.start_s, duration_s=candidate.duration_s)
    except AudioError as error:
        return error


def _find_faults(candidate: Candidate, text: str, scan: AudioScan | AudioError | None) -> list[str]:
    reasons = _find_id_faults(candidate.id)
    if candidate.fault is not None:
        return [*reasons, candidate.fault]
    for what, value in (("text", candidate.text), ("speaker", candidate.speaker), ("language", candidate.language)):
        if character := find_unprintable(value or ""):
            reasons.append(f"control character in {what}: U+{ord(character):04X}; remove it")
    if "\ufffd" in text:
        reasons.append("wrong encoding: text holds U+FFFD, what is left of a character; take it from its source again")
    if not text:
        reasons.append("no text: write what is said, or leave the utterance out")
    if isinstance(scan, AudioError):
        reasons.append(f"unreadable: {scan}")
    elif scan is not None:
        reasons.extend(_find_audio_faults(scan, len(text)))
        claimed_s = candidate.claimed_s
        if claimed_s is not None and abs(scan.duration_s - claimed_s) > CLAIM_TOLERANCE_S:
            reasons.append(
                f"not as long as listed: {claimed_s:.3f} s, decoded {scan.duration_s:.3f} s; is it another file?"
            )
    return reasons


def _find_id_faults(id_: str) -> list[str]:
    """An id names files and stands in lines of others' formats, so it can be neither a path out nor two words."""
    if not id_.strip():
        return ["no id: give it one"]
    if any(character.isspace() or find_unprintable(character) for character in id_):
        return ["not an id: holds white space or a control character; write _ instead"]
    if id_.startswith(("/", "\\", "~")) or ".." in id_.replace("\\", "/").split("/"):
        return ["not an id: leads out of a folder; give it a name without / at its start and without .."]
    return []


def _find_audio_faults(scan: AudioScan, n_characters: int) -> list[str]:
    duration_s = scan.duration_s
    if duration_s == 0:
        return ["empty: no samples in it; fetch the file again, or leave the utterance out"]
    reasons = []
    if scan.peak < SILENT_PEAK:
        reasons.append(f"silent: no sample leaves ±{scan.peak:.1e} of full scale; record it again")
    if duration_s < MIN_DURATION_S:
        reasons.append(f"too short: {duration_s:.3f} s, at least {MIN_DURATION_S} s are needed; leave it out")
    elif n_characters > MAX_CHARACTERS_PER_S * duration_s:
        most = int(MAX_CHARACTERS_PER_S * duration_s)
        reasons.append(
            f"too short for its text: {n_characters} characters in {duration_s:.3f} s, at most {most} fit; is it the "
            "text of another file?"
        )
    if abs(duration_s - scan.header_duration_s) > HEADER_TOLERANCE_S:
        claim = scan.header_duration_s
        reasons.append(
            f"wrong length in header: it says {claim:.3f} s, decoded {duration_s:.3f} s; fetch the file again"
        )
    return reasons
