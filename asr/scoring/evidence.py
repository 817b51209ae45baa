"""What a report can show beside texts: where an utterance can be heard, how noisy it is, pictures."""

import base64
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import soundfile as sf

from asr.audio.read import RATE_HZ, AudioError, Samples
from asr.scoring.corpus import CorpusScore, UtteranceScore
from asr.scoring.loudness import snr_db
from asr.scoring.rows import Clip, Known

# What browsers play. Other formats, and parts of tars, can be heard when they are embedded, as FLAC.
_PLAYABLE = {".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".mp4", ".webm"}


@dataclass(frozen=True)
class Evidence:
    """What is shown beside texts, by utterance id; all of it may be missing.

    Attributes:
        known: What is known.
        snrs_db: Signal-to-noise ratio, see `asr.scoring.loudness`; None where there is none.
        pictures: PNG files.
        audio: FLAC files that are to be put into the page.
    """

    known: Mapping[str, Known] = field(default_factory=dict)
    snrs_db: Mapping[str, float | None] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    audio: Mapping[str, bytes] = field(default_factory=dict)


def listened(
    score: CorpusScore, known: Mapping[str, Known], n_bytes: int, progress: Callable[[int, int], None]
) -> Evidence:
    """All that listening gives; see `measured` and `embedded`. `progress` is told (utterances done, all)."""
    snrs_db = {}
    for done, (id, each) in enumerate(known.items(), start=1):
        snrs_db[id] = measured(each.clip)
        progress(done, len(known))
    return Evidence(known, snrs_db, audio=embedded(score, known, n_bytes))


def measured(clip: Clip | None) -> float | None:
    """The signal-to-noise ratio of an utterance; None where it cannot be heard, or has none."""
    samples = _heard(clip)
    return None if samples is None else snr_db(samples)


def embedded(score: CorpusScore, known: Mapping[str, Known], n_bytes: int) -> dict[str, bytes]:
    """Audio to put into a page, as FLAC: the worst utterances, until the next has no room in `n_bytes` of base64."""
    audio: dict[str, bytes] = {}
    for each in worst_first(score.utterances):
        samples = _heard(known[each.id].clip if each.id in known else None) if n_bytes > 0 else None
        if samples is not None:
            buffer = io.BytesIO()
            sf.write(buffer, samples, RATE_HZ, format="FLAC", subtype="PCM_16")
            flac = buffer.getvalue()
            n_bytes -= len(base64.b64encode(flac))
            if n_bytes >= 0:
                audio[each.id] = flac
    return audio


def _heard(clip: Clip | None) -> Samples | None:
    if clip is None or not clip.path.is_file():  # nothing that waits for a writer, such as a pipe
        return None
    try:
        return clip.read()
    except (AudioError, OSError):
        return None


def worst_first(utterances: Sequence[UtteranceScore]) -> list[UtteranceScore]:
    """Those with most word errors first; of as many, the shorter."""
    return sorted(utterances, key=lambda each: (-each.words.n_errors, each.words.n_reference, each.id))


def link(clip: Clip | None, page: Path) -> str | None:
    """A relative URL by which a page in the folder `page` can play a clip; None where browsers cannot."""
    if clip is None or clip.part is not None or clip.path.suffix.lower() not in _PLAYABLE:
        return None
    try:
        path = Path(os.path.relpath(clip.path, page)).as_posix()
    except ValueError:  # on another drive
        return None
    start_s, duration_s = clip.start_s, clip.duration_s
    end = f",{start_s + duration_s:.3f}" if duration_s is not None else ""
    stretch = f"#t={start_s:.3f}{end}" if start_s or duration_s is not None else ""
    return "./" + quote(os.fsencode(path)) + stretch
