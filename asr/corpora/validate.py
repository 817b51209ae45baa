"""Decode every file of a corpus and refuse, with a reason each, the utterances that would break training or scoring."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

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

SILENT_PEAK = 3e-4
"""A file that never leaves this range (-70 dB of full scale, ten steps of 16 bits) is silent."""

_N_THREADS = 2


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason why one utterance was refused.

    Attributes:
        id: the utterance.
        audio: its file.
        reason: what is wrong with it.
    """

    id: str
    audio: Path
    reason: str


def validate(candidates: Iterable[Candidate], language: str, progress: Progress) -> tuple[list[Utterance], list[Fault]]:
    """Check the candidates of one split against their decoded audio.

    Args:
        candidates: utterances as the corpus claims them.
        language: code of the language they are in.
        progress: called with (checked, all).

    Returns:
        The utterances that passed, and all faults of those that did not, both in the candidates' order.
    """
    candidates = list(candidates)
    utterances: list[Utterance] = []
    faults: list[Fault] = []
    seen: set[str] = set()
    with ThreadPoolExecutor(_N_THREADS) as pool:
        scans = pool.map(_scan, candidates)
        for n_done, (candidate, scan) in enumerate(zip(candidates, scans, strict=True), start=1):
            text = normalize(candidate.text)
            reasons = _find_faults(candidate, text, scan)
            if candidate.id in seen:
                reasons.append("duplicate id: an utterance before it has the same")
            seen.add(candidate.id)
            faults.extend(Fault(candidate.id, candidate.audio, reason) for reason in reasons)
            if not reasons and isinstance(scan, AudioScan):
                duration_s = scan.duration_s
                row = Utterance(candidate.id, candidate.audio, 0.0, duration_s, text, candidate.speaker, language)
                utterances.append(row)
            progress(n_done, len(candidates))
    return utterances, faults


def write_faults(path: Path, faults: Iterable[Fault]) -> None:
    """Write the list of faults atomically; tabs and line ends inside a field become blanks."""
    rows = [("id", "file", "reason")] + [(fault.id, str(fault.audio), fault.reason) for fault in faults]
    lines = ["\t".join(" ".join(field.split()) for field in row) + "\n" for row in rows]
    with whole_file(path) as file:
        file.write("".join(lines).encode("utf-8", "backslashreplace"))


def _scan(candidate: Candidate) -> AudioScan | AudioError | None:
    if candidate.fault is not None:
        return None
    try:
        return scan_audio(candidate.audio)
    except AudioError as error:
        return error


def _find_faults(candidate: Candidate, text: str, scan: AudioScan | AudioError | None) -> list[str]:
    reasons = [] if candidate.id.strip() else ["no id"]
    if candidate.fault is not None:
        return [*reasons, candidate.fault]
    if not text:
        reasons.append("no text")
    if isinstance(scan, AudioError):
        reasons.append(f"unreadable: {scan}")
    elif scan is not None:
        reasons.extend(_find_audio_faults(scan, len(text)))
    return reasons


def _find_audio_faults(scan: AudioScan, n_characters: int) -> list[str]:
    duration_s = scan.duration_s
    if duration_s == 0:
        return ["empty: no samples in it"]
    reasons = []
    if scan.peak < SILENT_PEAK:
        reasons.append(f"silent: no sample leaves ±{scan.peak:.1e} of full scale")
    if duration_s < MIN_DURATION_S:
        reasons.append(f"too short: {duration_s:.3f} s, at least {MIN_DURATION_S} s are needed")
    elif n_characters > MAX_CHARACTERS_PER_S * duration_s:
        most = int(MAX_CHARACTERS_PER_S * duration_s)
        reasons.append(f"too short for its text: {n_characters} characters in {duration_s:.3f} s, at most {most} fit")
    if abs(duration_s - scan.header_duration_s) > HEADER_TOLERANCE_S:
        reasons.append(f"wrong length in header: it says {scan.header_duration_s:.3f} s, decoded {duration_s:.3f} s")
    return reasons
