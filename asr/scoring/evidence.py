"""What a report can show beside texts: where an utterance can be heard, how noisy it is, pictures."""

import base64
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import soundfile as sf

from asr.audio.read import RATE_HZ, AudioError
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
        snrs_db: Signal-to-noise ratio, see `asr.scoring.loudness`.
        pictures: PNG files.
        audio: FLAC files that are to be put into the page.
    """

    known: Mapping[str, Known] = field(default_factory=dict)
    snrs_db: Mapping[str, float] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    audio: Mapping[str, bytes] = field(default_factory=dict)


def gather(
    score: CorpusScore,
    known: Mapping[str, Known],
    *,
    pictures: Mapping[str, bytes] | None = None,
    embed_bytes: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evidence:
    """Listens to all utterances that can be heard; those that cannot are left out.

    Args:
        score: The utterances.
        known: Where they can be heard.
        pictures: PNG files of some.
        embed_bytes: How much audio to put into the page, those with most errors first.
        progress: Told (utterances done, all).
    """
    snrs_db: dict[str, float] = {}
    audio: dict[str, bytes] = {}
    for done, each in enumerate(worst_first(score.utterances), start=1):
        clip = known[each.id].clip if each.id in known else None
        if clip is not None and clip.path.is_file():  # nothing that waits for a writer, such as a pipe
            try:
                samples = clip.read()
            except (AudioError, OSError):
                continue
            ratio = snr_db(samples)
            if ratio is not None:
                snrs_db[each.id] = ratio
            if embed_bytes > 0:
                flac = _flac(samples)
                size = len(base64.b64encode(flac))
                if size <= embed_bytes:
                    audio[each.id] = flac
                embed_bytes -= size  # the first that has no room is the last that is tried
        progress(done, len(score.utterances))
    return Evidence(known, snrs_db, pictures or {}, audio)


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


def _flac(samples: object) -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, samples, RATE_HZ, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
