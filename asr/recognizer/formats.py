"""Transcripts as files, in the formats that people's tools already read.

Every writer is a pure function from a transcript to text; texts pass through `clean`, so none can break its format.
"""

import json
from collections.abc import Callable, Iterator
from itertools import accumulate, chain
from typing import Any, Literal

from asr.recognizer.transcript import Alternative, Segment, Transcript, Word, clean
from asr.scoring.trn import format_trn, trn_id

Format = Literal["txt", "json", "jsonl", "srt", "vtt", "tsv", "ctm", "stm", "trn"]

# Formats in which the outputs of several recordings may follow each other in one file or on the terminal.
JOINABLE: frozenset[Format] = frozenset({"txt", "jsonl", "ctm", "stm", "trn"})


def render(transcript: Transcript, format: Format) -> str:
    """Renders one recording's transcript; the text ends in a newline unless it is empty.

    Args:
        transcript: What was recognised.
        format: txt, one line of text · json, whisper's field names · jsonl, the same on one line · srt and vtt,
            subtitles · tsv, whisper's ``start end text`` in milliseconds · ctm, stm and trn, for NIST sclite.
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
                "words": [_word(word) for word in segment.words],
                "flags": list(segment.flags),
                "n_best": [_alternative(each) for each in segment.n_best],
            }
            for i, segment in enumerate(transcript.segments)
        ],
        "id": clean(transcript.id),
        "audio": None if transcript.audio is None else clean(str(transcript.audio)),
        "duration": round(transcript.duration_s, 3),
        "score": round(transcript.score, 6),
        "finish": transcript.finish,
        "flags": list(transcript.flags),
        "calibrated": transcript.calibrated,
    }


def _alternative(each: Alternative) -> dict[str, Any]:
    scores = {name: round(score, 6) for name, score in each.scores.items()}
    return {"text": clean(each.text), "score": round(each.score, 6), "scores": scores}


def _word(word: Word) -> dict[str, Any]:
    """Times are null where the model has none."""
    start, end = (None if each is None else round(each, 3) for each in (word.start_s, word.end_s))
    probability = None if word.confidence is None else round(word.confidence, 4)
    return {"word": clean(word.text), "start": start, "end": end, "probability": probability}


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
    """``recording channel start duration word confidence``, after a comment that says where the times are from.

    Where the model gives no times of words, each gets a share of its segment by its number of characters.
    """
    id, segments = trn_id(transcript.id), list(_spoken(transcript))
    measured = all(word.start_s is not None for segment in segments for word in segment.words)
    measured &= all(segment.words for segment in segments)
    words = chain.from_iterable(map(_measured if measured else _interpolated, segments))
    origin = "are from forced alignment" if measured else "are interpolated within each segment, not measured"
    lines = [f"{id} 1 {start_s:.3f} {end_s - start_s:.3f} {word}{sure}\n" for word, start_s, end_s, sure in words]
    return "".join([f";; {id}: word times {origin}\n", *lines])


def _measured(segment: Segment) -> Iterator[tuple[str, float, float, str]]:
    """Words with start and end, in seconds, and what follows them."""
    for word in segment.words:
        assert word.start_s is not None
        assert word.end_s is not None
        sure = "" if word.confidence is None else f" {word.confidence:.4f}"
        yield from ((text, word.start_s, word.end_s, sure) for text in clean(word.text).split())


def _interpolated(segment: Segment) -> Iterator[tuple[str, float, float, str]]:
    words = clean(segment.text).split()
    ends = list(accumulate(map(len, words), initial=0))
    scale_s = (segment.end_s - segment.start_s) / ends[-1]
    for word, start, end in zip(words, ends, ends[1:], strict=False):
        yield word, segment.start_s + start * scale_s, segment.start_s + end * scale_s, ""


def _stm(transcript: Transcript) -> str:
    """``recording channel speaker start end text``; who speaks is not known, so the recording's name stands there."""
    id = trn_id(transcript.id)
    lines = (
        f"{id} 1 {id} {segment.start_s:.3f} {segment.end_s:.3f} {clean(segment.text)}\n"
        for segment in _spoken(transcript)
    )
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
    "stm": _stm,
    "trn": _trn,
}
