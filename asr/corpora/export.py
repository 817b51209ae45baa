"""Manifests for other toolkits: Kaldi's folders, NeMo's JSON lines, lhotse's recordings and supervisions.

Rows are read one at a time; what is held is an id and a path for each. Audio is named in place, absolutely.
"""

import contextlib
import gzip
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import soundfile as sf

from asr.audio.read import AudioError, scan_audio
from asr.corpora.candidate import Progress
from asr.corpora.manifest import Utterance, whole_file
from asr.corpora.utterances import Utterances
from asr.corpora.validate import find_unprintable

_TELL_EVERY = 1_000  # rows


class ExportError(ValueError):
    """A manifest cannot be written in another form; the message says what to do."""


def export_manifest(
    manifest: Path,
    to: str,
    out: Path,
    *,
    overwrite: bool = False,
    progress: Progress = lambda done, total: None,
) -> list[Path]:
    """Write a manifest for another toolkit.

    Args:
        manifest: a JSONL file.
        to: one of `WRITERS`.
        out: a folder, made if missing; several manifests may go to one.
        overwrite: replace what is there.
        progress: told (rows done, rows in all).

    Returns:
        The files.

    Raises:
        ManifestError: the manifest is faulty.
        ExportError: rows cannot be written so, or a file is there already.
    """
    if to not in WRITERS:
        raise ExportError(f"unknown form {to!r}; expected one of {', '.join(WRITERS)}")
    names = [Path(name.format(manifest.stem)) for name in FILES[to]]
    taken = [out / name for name in names if (out / name).exists()]
    if taken and not overwrite:
        raise ExportError(f"{taken[0]}: is there already; name another folder, or say --overwrite")
    utterances = Utterances([manifest])
    with contextlib.ExitStack() as files:
        opened: list[BinaryIO] = []
        for name in names:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            opened.append(files.enter_context(whole_file(out / name)))
        WRITERS[to](_Rows(utterances, progress), opened)
    return [out / name for name in names]


class _Rows:
    """Utterances in their order or another, each checked for what no other form could hold."""

    def __init__(self, utterances: Utterances, progress: Progress) -> None:
        self._utterances = utterances
        self._progress = progress

    def __len__(self) -> int:
        return len(self._utterances)

    def __getitem__(self, at: int) -> Utterance:
        return self._utterances[at]

    def each(self, order: list[int] | None = None) -> Iterator[Utterance]:
        """The utterances, as absolute as they can be."""
        for n_done, at in enumerate(range(len(self)) if order is None else order):
            utterance = self._utterances[at]
            if utterance.part is not None:
                raise ExportError(
                    f"{utterance.id}: lies in a tar, which no other toolkit reads so; export the manifest that "
                    "`asr shard` packed"
                )
            path = os.path.normpath(utterance.audio.absolute())
            if find_unprintable(path) or "\n" in path or path != path.strip():
                raise ExportError(f"{utterance.id}: {path!r} is no path that a list could hold; rename the file")
            if n_done % _TELL_EVERY == 0:
                self._progress(n_done, len(self))
            yield utterance


def _write_nemo(rows: _Rows, files: list[BinaryIO]) -> None:
    for row in rows.each():
        files[0].write(
            _line(
                {
                    "audio_filepath": _path(row),
                    "offset": row.start_s,
                    "duration": row.duration_s,
                    "text": row.text,
                    "speaker": row.speaker,
                    "lang": row.language,
                    "id": row.id,
                }
            )
        )


def _write_kaldi(rows: _Rows, files: list[BinaryIO]) -> None:
    """Sorts by the bytes of the ids, as `LC_ALL=C sort` does, and starts each with its speaker: Kaldi wants both."""
    text, wav_scp, segments, utt2spk, spk2utt, utt2lang = files
    names = [(_word(row.id), _word(row.speaker)) for row in rows.each()]
    if not all(id_.startswith(speaker) for id_, speaker in names):
        names = [(f"{speaker}-{id_}" if speaker else id_, speaker) for id_, speaker in names]
    if len({id_ for id_, _ in names}) < len(names):
        raise ExportError("ids are not unique once white space in them is replaced by _; rename them")
    order = sorted(range(len(names)), key=lambda at: names[at][0].encode())
    recordings: dict[str, str] = {}
    of_speaker: dict[str, list[str]] = {}
    for at, row in zip(order, rows.each(order), strict=True):
        id_, speaker = names[at][0], names[at][1] or names[at][0]
        path = _path(row)
        if path not in recordings:
            if path.endswith("|") or re.search(r":\d+$", path):
                raise ExportError(
                    f"{row.id}: Kaldi would take {path!r} for a command, or for a place in a file; rename it"
                )
            recordings[path] = id_
            wav_scp.write(f"{id_} {path}\n".encode("utf-8", "surrogateescape"))
        end_s = row.start_s + row.duration_s
        text.write(f"{id_} {' '.join(row.text.split())}\n".encode())
        segments.write(f"{id_} {recordings[path]} {row.start_s:.6f} {end_s:.6f}\n".encode())
        utt2spk.write(f"{id_} {speaker}\n".encode())
        utt2lang.write(f"{id_} {_word(row.language) or 'unknown'}\n".encode())
        of_speaker.setdefault(speaker, []).append(id_)
    for speaker in sorted(of_speaker, key=str.encode):
        spk2utt.write(f"{speaker} {' '.join(of_speaker[speaker])}\n".encode())


def _write_lhotse(rows: _Rows, files: list[BinaryIO]) -> None:
    known: dict[str, tuple[str, list[int]]] = {}
    with _zipped(files[0]) as recordings, _zipped(files[1]) as supervisions:
        for row in rows.each():
            path = _path(row)
            if path not in known:
                recording = _recording(row.id, path)
                known[path] = (row.id, recording["channel_ids"])
                recordings.write(_line(recording))
            recording_id, channels = known[path]
            supervision = {
                "id": row.id,
                "recording_id": recording_id,
                "start": row.start_s,
                "duration": row.duration_s,
                "channel": channels if len(channels) > 1 else 0,
                "text": row.text,
                "language": row.language,
                "speaker": row.speaker,
            }
            supervisions.write(_line(supervision))


WRITERS: dict[str, Callable[[_Rows, list[BinaryIO]], None]] = {
    "kaldi": _write_kaldi,
    "nemo": _write_nemo,
    "lhotse": _write_lhotse,
}
"""The forms that a manifest can be written in."""

FILES = {
    "kaldi": tuple(f"{{}}/{name}" for name in ("text", "wav.scp", "segments", "utt2spk", "spk2utt", "utt2lang")),
    "nemo": ("{}.json",),
    "lhotse": ("{}_recordings.jsonl.gz", "{}_supervisions.jsonl.gz"),
}
"""The files of each form; {} stands for the manifest's name."""


def _recording(id_: str, path: str) -> dict[str, Any]:
    """Lhotse's description of a file, by its header."""
    try:
        about = sf.info(path)
        n_samples = about.frames
        if about.format == "MP3":  # which may be longer than libsndfile believes
            n_samples = round(scan_audio(path).duration_s * about.samplerate)
    except (AudioError, sf.SoundFileError, OSError, RuntimeError) as error:
        raise ExportError(f"{path}: cannot read its header ({error}); prepare the corpus again") from error
    channels = list(range(about.channels))
    return {
        "id": id_,
        "sources": [{"type": "file", "channels": channels, "source": path}],
        "sampling_rate": about.samplerate,
        "num_samples": n_samples,
        "duration": n_samples / about.samplerate,
        "channel_ids": channels,
    }


@contextlib.contextmanager
def _zipped(file: BinaryIO) -> Iterator[gzip.GzipFile]:
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as zipped:  # the same bytes each time
        yield zipped


def _path(row: Utterance) -> str:
    return os.path.normpath(row.audio.absolute())


def _word(name: str) -> str:
    return "_".join(name.split())


def _line(row: dict[str, Any]) -> bytes:
    return (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "surrogateescape")
