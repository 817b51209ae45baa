"""Shards: a corpus as a few large tars, since disks, networks and copies are slow with millions of small files.

The tars have WebDataset's layout: `KEY.flac` (or another format), then `KEY.json`. A manifest beside them says where in
which tar each utterance lies, so that reading seeks and never scans; nothing is unpacked, and no name inside a tar is
ever used.
"""

import contextlib
import fcntl
import hashlib
import io
import json
import os
import tarfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from glob import escape
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

from asr.audio.cut import cut_audio
from asr.audio.read import AudioError, Part
from asr.corpora.candidate import Progress
from asr.corpora.manifest import ManifestError, Row, encode_row, open_manifest, scan_rows, whole_file
from asr.corpora.utterances import Utterances
from asr.corpora.validate import Fault, write_faults

MAX_KEY = 80
"""Longest key of a member, in characters: with any suffix it fits a tar's header of one block."""

_N_THREADS = min(8, os.cpu_count() or 1)
_AT_ONCE = 16  # utterances in memory


class ShardError(ValueError):
    """Shards cannot be written; the message says why, what is kept and what to do."""


@dataclass(frozen=True)
class Sharding:
    """What `write_shards` wrote.

    Attributes:
        manifest: the manifest whose rows point into the tars.
        n_utterances: its rows.
        n_shards: the tars.
        n_bytes: of all tars.
        n_rejected: utterances left out, since their audio cannot be read.
        rejected: the list of them; None if there are none.
    """

    manifest: Path
    n_utterances: int
    n_shards: int
    n_bytes: int
    n_rejected: int
    rejected: Path | None


@dataclass(frozen=True)
class _Shard:
    """A tar that is finished, as its journal keeps it until all are.

    Attributes:
        job: what it is part of: a hash of manifest and size.
        n_seen: rows of the manifest that are dealt with, in this tar and those before it.
        n_bytes: of the tar.
        rows: of the new manifest.
        faults: id, file and reason of utterances left out.
    """

    job: str
    n_seen: int
    n_bytes: int
    rows: list[dict[str, Any]]
    faults: list[list[str]]


def write_shards(
    manifest: Path,
    out: Path,
    *,
    shard_bytes: float = 512e6,
    max_rejected: float = 0.01,
    progress: Progress = lambda done, total: None,
) -> Sharding:
    """Pack the audio of a manifest into `out/NAME-000000.tar`, …, and write `out/NAME.jsonl`, which points there.

    A file that one utterance uses whole is packed as it is; a segment is cut out, see `asr.audio.cut`. Further keys of
    a row are kept. Whenever it ends early, the finished tars stay, and the same call goes on from there.

    Args:
        manifest: what to pack.
        out: a folder, made if missing; the manifests of several splits may share it.
        shard_bytes: a tar is closed as soon as it is this large.
        max_rejected: largest share of utterances, from 0 to 1, that may be left out since their audio cannot be read.
        progress: called with utterances done and in all.

    Raises:
        ManifestError: the manifest is faulty; nothing was written.
        ShardError: `out` has such a manifest already, holds part of other work, is being written to, cannot be written
            (a full disk), or more than `max_rejected` was left out.
    """
    target = out / f"{manifest.stem}.jsonl"
    try:
        if target.exists():
            raise ShardError(f"{target}: exists already; name another folder, or remove it and the tars beside it")
        n_rows, job = _survey(manifest, shard_bytes)
        out.mkdir(parents=True, exist_ok=True)
        with _alone(out, manifest.stem):
            n_shards = _write_tars(manifest, out, n_rows, job, shard_bytes, progress)
            return _finish(target, n_shards, n_rows, max_rejected)
    except OSError as error:
        raise ShardError(
            f"{error.filename or out}: {error.strerror}; finished tars are kept, and the same command goes on from them"
        ) from error


def member_key(id_: str) -> str:
    """An utterance's name in a tar: letters, digits and -_%~, none like another's; no dot, where WebDataset cuts."""
    key = quote(id_, safe="").replace(".", "%2E").replace("~", "%7E")
    if key.startswith("-"):  # no program should take it for an option
        key = f"%2D{key[1:]}"
    if len(key) <= MAX_KEY:
        return key
    digest = hashlib.blake2b(id_.encode(), digest_size=8).hexdigest()
    return f"{key[: MAX_KEY - 17]}~{digest}"


def _survey(manifest: Path, shard_bytes: float) -> tuple[int, str]:
    """Goes through the manifest once: -> its rows, and a name for the job of packing it so."""
    with open_manifest(manifest) as file:
        n_rows = sum(
            1 for _ in scan_rows(manifest, file, "id")
        )  # whatever a model is to make of it: any target will do
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256")
    digest.update(f"{manifest.absolute().parent}\x1f{shard_bytes!r}".encode("utf-8", "surrogateescape"))
    return n_rows, digest.hexdigest()


@contextlib.contextmanager
def _alone(out: Path, stem: str) -> Iterator[None]:
    """Keeps a second process out, and sweeps up what a killed one left."""
    lock = out / f".{stem}.lock"
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ShardError(f"{out}: another process is writing the shards of {stem} there") from error
        except OSError:  # a file system that knows no locks: then it is the user's to start one at a time
            pass
        for leftover in out.glob(f".{escape(stem)}*.part"):
            leftover.unlink()
        yield
        lock.unlink()


def _write_tars(manifest: Path, out: Path, n_rows: int, job: str, shard_bytes: float, progress: Progress) -> int:
    """Writes the tars that are not there yet, each with its journal: -> how many there are in all."""
    number, n_seen = 0, 0
    while n_seen < n_rows and (shard := _read_journal(out, manifest.stem, number, job)):
        number, n_seen = number + 1, shard.n_seen
    progress(n_seen, n_rows)
    with open_manifest(manifest) as file, ThreadPoolExecutor(_N_THREADS) as pool:
        cuts = _cut_all(islice(scan_rows(manifest, file, "id"), n_seen, None), pool)
        while n_seen < n_rows:
            name = _tar_name(manifest.stem, number)
            found: list[dict[str, Any]] = []
            faults: list[list[str]] = []
            with whole_file(out / name) as tar_file:
                with tarfile.open(fileobj=tar_file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
                    while n_seen < n_rows and tar.offset < shard_bytes:
                        row, cut = next(cuts, None) or _refuse_change(manifest)
                        if isinstance(cut, AudioError):
                            faults.append([row.utterance.id, str(row.utterance.audio), str(cut)])
                        else:
                            found.append(_add(tar, name, row, *cut))
                        n_seen += 1
                        progress(n_seen, n_rows)
                n_bytes = tar_file.tell()
            with whole_file(_journal(out, manifest.stem, number)) as journal:
                journal.write(json.dumps(asdict(_Shard(job, n_seen, n_bytes, found, faults))).encode())
            number += 1
    return number


def _refuse_change(manifest: Path) -> NoReturn:
    raise ShardError(f"{manifest}: has changed meanwhile; the same command starts with it as it is now")


def _cut_all(rows: Iterator[Row], pool: ThreadPoolExecutor) -> Iterator[tuple[Row, tuple[str, bytes] | AudioError]]:
    while chunk := list(islice(rows, _AT_ONCE)):
        yield from zip(chunk, pool.map(_cut, chunk), strict=True)


def _cut(row: Row) -> tuple[str, bytes] | AudioError:
    utterance = row.utterance
    try:
        return cut_audio(
            utterance.audio, start_s=utterance.start_s, duration_s=utterance.duration_s, part=utterance.part
        )
    except AudioError as error:
        return error


def _add(tar: tarfile.TarFile, name: str, row: Row, suffix: str, content: bytes) -> dict[str, Any]:
    """Appends an utterance to a tar: -> its row in the new manifest."""
    key = member_key(row.utterance.id)
    described = json.loads(row.content) | {"audio": f"{key}.{suffix}", "start": 0.0}
    described.pop("part", None)
    offset = _add_member(tar, f"{key}.{suffix}", content)
    _add_member(tar, f"{key}.json", json.dumps(described).encode())
    return described | {"audio": name, "part": asdict(Part(offset, len(content), zlib.crc32(content)))}


def _add_member(tar: tarfile.TarFile, name: str, content: bytes) -> int:
    """Appends a file: -> where in the tar its content starts."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    offset = tar.offset + tarfile.BLOCKSIZE
    tar.addfile(member, io.BytesIO(content))
    return offset


def _finish(target: Path, n_shards: int, n_rows: int, max_rejected: float) -> Sharding:
    """Makes the manifest of the journals, and removes these."""
    out, stem = target.parent, target.stem
    faults, faulty, n_bytes = [], n_shards, 0
    for number, shard in enumerate(_finished(out, stem, n_shards)):
        faults += [Fault(id_, Path(audio), reason) for id_, audio, reason in shard.faults]
        faulty = min(faulty, number) if shard.faults else faulty
        n_bytes += shard.n_bytes
    rejected = out / f"{stem}.rejected.tsv"
    if faults:
        write_faults(rejected, faults)
    if len(faults) > max_rejected * n_rows:
        for number in range(faulty, n_shards):  # to be read once more, in case they are mended
            _journal(out, stem, number).unlink()
        raise ShardError(
            f"{len(faults)} of {n_rows} utterances cannot be read ({len(faults) / n_rows:.1%}, at most "
            f"{max_rejected:.1%} may be left out); see {rejected}. Mend them or allow more; the tars before the first "
            "of them are kept"
        )
    with whole_file(target) as file:
        for shard in _finished(out, stem, n_shards):
            file.writelines(map(encode_row, shard.rows))
    for number in range(n_shards):
        _journal(out, stem, number).unlink()
    with contextlib.suppress(ManifestError):  # one without text is read for another key, and indexed then
        Utterances([target])  # leaves the index that a large manifest is opened with
    return Sharding(target, n_rows - len(faults), n_shards, n_bytes, len(faults), rejected if faults else None)


def _finished(out: Path, stem: str, n_shards: int) -> Iterator[_Shard]:
    for number in range(n_shards):
        yield _Shard(**json.loads(_journal(out, stem, number).read_bytes()))


def _read_journal(out: Path, stem: str, number: int, job: str) -> _Shard | None:
    """A tar that an earlier call finished; None where it has to be written."""
    path = _journal(out, stem, number)
    try:
        shard = _Shard(**json.loads(path.read_bytes()))
        whole = (out / _tar_name(stem, number)).stat().st_size == shard.n_bytes
    except (FileNotFoundError, ValueError, TypeError):
        return None
    if shard.job != job:
        raise ShardError(
            f"{out}: holds part of the shards of another manifest, or of one that has changed, or of another size; "
            f"name another folder, or remove {stem}-* there"
        )
    return shard if whole else None


def _tar_name(stem: str, number: int) -> str:
    return f"{stem}-{number:06d}.tar"


def _journal(out: Path, stem: str, number: int) -> Path:
    return out / f"{_tar_name(stem, number)}.rows"
