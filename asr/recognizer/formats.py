"""Transcripts as files, in the formats that people's tools already read.

Every writer is a pure function from a transcript to text; texts pass through `clean`, so none can break its format.
"""

import json
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any, Literal

from asr.recognizer.transcript import Segment, Transcript, clean
from asr.scoring.trn import format_trn, trn_id

Format = Literal["txt", "json", "jsonl", "srt", "vtt", "tsv", "ctm", "trn"]

# Formats in which the outputs of several recordings may follow each other in one file or on the terminal.
JOINABLE: frozenset[Format] = frozenset({"txt", "jsonl", "ctm", "trn"})


def render(transcript: Transcript, format: Format) -> str:
    """Renders one recording's transcript; the text ends in a newline unless it is empty.

    Args:
        transcript: What was recognised.
        format: txt, one line of text · json, whisper's field names · jsonl, the same on one line · srt and vtt,
            subtitles · tsv, whisper's ``start end text`` in milliseconds · ctm and trn, for NIST sclite.
    """
    return _WRITERS[format](transcript)


def _txt(transcript: Transcript) -> str:
    return _text(transcript) + "\n"


def _json(transcript: Transcript) -> str:
    return json.dumps(_record(transcript), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _jsonl(transcript: Transcript) -> str:
    return json.dumps(_record(transcript), ensure_ascii=False, allow_nan=False) + "\n"


def _record(transcript: Transcript) -> dict[str, Any]:
    return {
        "text": _text(transcript),
        "language": transcript.language,
        "segments": [
            {
                "id": i,
                "start": round(segment.start_s, 3),
                "end": round(segment.end_s, 3),
                "text": clean(segment.text),
                "avg_logprob": round(segment.mean_score, 6),
            }
            for i, segment in enumerate(transcript.segments)
        ],
        "id": clean(transcript.id),
        "audio": None if transcript.audio is None else clean(str(transcript.audio)),
        "duration": round(transcript.duration_s, 3),
        "score": round(transcript.score, 6),
        "finish": transcript.finish,
    }


def _srt(transcript: Transcript) -> str:
    cues = (
        f"{i}\n{_clock(segment.start_s, ',')} --> {_clock(segment.end_s, ',')}\n{_cue_text(segment)}\n"
        for i, segment in enumerate(_spoken(transcript), start=1)
    )
    return "\n".join(cues)


def _vtt(transcript: Transcript) -> str:
    cues = (
        f"\n{_clock(segment.start_s, '.')} --> {_clock(segment.end_s, '.')}\n"
        + clean(segment.text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        + "\n"
        for segment in _spoken(transcript)
    )
    return "WEBVTT\n" + "".join(cues)


def _tsv(transcript: Transcript) -> str:
    rows = (
        f"{_milliseconds(segment.start_s)}\t{_milliseconds(segment.end_s)}\t{clean(segment.text)}\n"
        for segment in _spoken(transcript)
    )
    return "start\tend\ttext\n" + "".join(rows)


def _ctm(transcript: Transcript) -> str:
    """``recording channel start duration word``, without confidences.

    The model gives no times below the segment yet, so each word gets a share of its segment by its number of
    characters; a comment in the file says so, lest anybody take the times for measured ones.
    """
    lines = [f";; {trn_id(transcript.id)}: word times are interpolated within each segment, not measured\n"]
    for segment in _spoken(transcript):
        words = clean(segment.text).split()
        ends = list(accumulate(map(len, words), initial=0))
        scale_s = (segment.end_s - segment.start_s) / ends[-1]
        for word, start, end in zip(words, ends, ends[1:], strict=False):
            start_s = segment.start_s + start * scale_s
            lines.append(f"{trn_id(transcript.id)} 1 {start_s:.3f} {(end - start) * scale_s:.3f} {word}\n")
    return "".join(lines)


def _trn(transcript: Transcript) -> str:
    return format_trn({transcript.id: _text(transcript)})


def _text(transcript: Transcript) -> str:
    return " ".join(clean(segment.text) for segment in _spoken(transcript))


def _spoken(transcript: Transcript) -> Iterator[Segment]:
    """Segments that hold any text: an empty cue is an error to some players."""
    return (segment for segment in transcript.segments if clean(segment.text))


def _cue_text(segment: Segment) -> str:
    return clean(segment.text).replace("-->", "->")


def _milliseconds(time_s: float) -> int:
    return max(0, round(1000 * time_s))


def _clock(time_s: float, point: str) -> str:
    """HH:MM:SS and milliseconds after ``point``."""
    seconds, milliseconds = divmod(_milliseconds(time_s), 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{point}{milliseconds:03d}"


_WRITERS: dict[Format, Callable[[Transcript], str]] = {
    "txt": _txt,
    "json": _json,
    "jsonl": _jsonl,
    "srt": _srt,
    "vtt": _vtt,
    "tsv": _tsv,
    "ctm": _ctm,
    "trn": _trn,
}
