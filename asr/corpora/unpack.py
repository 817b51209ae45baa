"""Unpack an archive from elsewhere: files and folders, inside one folder, and no more of them than the disk can bear.

Nothing of an archive is believed. Links, devices and names that lead out end it; sizes are counted as they come, not as
they are claimed; nothing that is there is replaced. A file appears whole, and the same call goes on after a kill.
"""

import bz2
import gzip
import lzma
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from asr.corpora.candidate import CorpusError, Progress
from asr.corpora.validate import find_unprintable


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to.

    Attributes:
        n_files: files and folders in it.
        ratio: bytes unpacked for a byte of the archive, beyond the first 64 MB.
        depth: folders in each other.
        spare_bytes: what is left free on the disk.
    """

    n_files: int = 5_000_000
    ratio: float = 100.0
    depth: int = 32
    spare_bytes: int = 1 << 30


_FREE_BYTES = 64 << 20  # unpacked before the ratio counts
_CHUNK = 1 << 20
_MAX_NAME = 255  # bytes, what file systems take
_MAX_HEADER = 64 << 10  # bytes; those of speech corpora have a few hundred


def _open(archive: Path, packed: IO[bytes]) -> IO[bytes]:
    """The bytes of a tar, by its suffix."""
    suffix = archive.suffix.lower()
    if suffix in (".gz", ".tgz"):
        return gzip.open(packed)  # type: ignore[return-value]
    if suffix == ".bz2":
        return bz2.BZ2File(packed)
    return lzma.LZMAFile(packed) if suffix == ".xz" else packed


def unpack(archive: Path, out: Path, limits: Limits = Limits(), progress: Progress = lambda done, total: None) -> int:
    """Unpack a tar (plain, gzip, bzip2, xz) or a zip into a folder.

    Args:
        archive: the file; its suffix says what it is.
        out: the folder, made if missing. What lies there is kept: a file that the archive has, too, must be equal.
        limits: when to stop.
        progress: told (bytes of the archive read, bytes in all).

    Returns:
        How many files there are now that are the archive's.

    Raises:
        CorpusError: the archive is broken or hostile; what was unpacked before is left, and safe.
    """
    out.mkdir(parents=True, exist_ok=True)
    guard = _Guard(archive, out.resolve(), limits, progress)
    try:
        if archive.suffix.lower() == ".zip":
            return _unpack_zip(archive, guard)
        with archive.open("rb") as packed:
            guard.position = packed.tell
            with _open(archive, packed) as stream:
                return _unpack_tar(_Stream(stream, guard), guard)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError) as error:
        raise CorpusError(f"{archive}: broken ({error}); fetch it again") from error
    except (ValueError, RuntimeError, ArithmeticError, LookupError, struct.error) as error:  # of the standard library's
        if isinstance(error, CorpusError):
            raise
        raise CorpusError(f"{archive}: cannot be unpacked ({error}); fetch it again") from error
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        raise CorpusError(f"{archive}: {name}{error.strerror or error}; fetch it again if it is broken") from error


class _Guard:
    """Counts what comes out of an archive, and says where a member may be written."""

    def __init__(self, archive: Path, out: Path, limits: Limits, progress: Progress) -> None:
        self._archive = archive
        self._out = out
        self._limits = limits
        self._progress = progress
        self._n_packed = archive.stat().st_size
        self._n_bytes = 0
        self._n_members = 0
        self._folders: set[Path] = set()
        self.position: Callable[[], int] = lambda: 0

    def refuse(self, name: str, why: str) -> CorpusError:
        """The error that ends it all."""
        shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in name[:200])
        return CorpusError(f"{self._archive}: {shown}: {why}; the archive is not what a publisher of speech makes")

    def count(self, n_bytes: int, name: str) -> None:
        """Counts bytes that came out.

        Raises:
            CorpusError: they are too many for the archive's size, or for the disk.
        """
        before, self._n_bytes = self._n_bytes, self._n_bytes + n_bytes
        if self._n_bytes > _FREE_BYTES + self._limits.ratio * self._n_packed:
            raise self.refuse(name, f"unpacks to more than {self._limits.ratio:g} times the archive's size")
        if before // (256 * _CHUNK) != self._n_bytes // (256 * _CHUNK) or before == 0:
            if shutil.disk_usage(self._out).free < self._limits.spare_bytes:
                raise CorpusError(f"{self._archive}: the disk is full but for {self._limits.spare_bytes / 1e9:.1f} GB")
            self._progress(self.position(), self._n_packed)

    def place(self, name: str, size: int, is_folder: bool) -> Path:
        """Where a member goes; its folder is there afterwards.

        Raises:
            CorpusError: it must not go anywhere.
        """
        self._n_members += 1
        if self._n_members > self._limits.n_files:
            raise self.refuse(name, f"more than {self._limits.n_files:,} files")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\\" in name or (parts and ":" in parts[0]):
            raise self.refuse(name, "its name leads out of the folder")
        if find_unprintable(name) or any(c in name for c in "\n\r\t\v\f"):
            raise self.refuse(name, "its name holds a control character")
        if len(parts) > self._limits.depth or any(len(os.fsencode(part)) > _MAX_NAME for part in parts):
            raise self.refuse(name, "its name is too long, or its folders too deep")
        if not parts and not is_folder:
            raise self.refuse(name, "it has no name")
        if size < 0 or shutil.disk_usage(self._out).free < size + self._limits.spare_bytes:
            raise self.refuse(name, f"it claims {size:,} bytes, more than the disk has to spare")
        path = self._out.joinpath(*parts)
        self._make_folder(path if is_folder else path.parent, name)
        return path

    def _make_folder(self, folder: Path, name: str) -> None:
        """A folder is really inside: links that somebody laid there before are not followed out."""
        if folder in self._folders:
            return
        folder.mkdir(parents=True, exist_ok=True)
        if not folder.resolve().is_relative_to(self._out):
            raise self.refuse(name, "a link on the disk leads its folder elsewhere")
        self._folders.add(folder)


class _Stream:
    """An unpacked stream for `tarfile`, which reads headers of any size into memory unless it is kept from it.

    Attributes:
        most: bytes that may be read at once.
    """

    def __init__(self, stream: IO[bytes], guard: _Guard) -> None:
        self._stream = stream
        self._guard = guard
        self._at = 0
        self.most = _MAX_HEADER

    def read(self, n: int = -1) -> bytes:
        """Up to n bytes.

        Raises:
            CorpusError: these are more than `most`, or all so far are too many.
        """
        if not 0 <= n <= self.most:
            raise self._guard.refuse("a header", "larger than any that is honest")
        data = self._stream.read(n)
        self._at += len(data)
        self._guard.count(len(data), "its contents")
        return data

    def tell(self) -> int:
        """Bytes so far."""
        return self._at

    def seek(self, at: int, whence: int = os.SEEK_SET) -> int:
        """Forward, by reading: what is skipped counts, too."""
        if whence != os.SEEK_SET or at < self._at:
            raise tarfile.ReadError("a member lies before another")
        while self._at < at:
            if not self.read(min(_MAX_HEADER, at - self._at)):
                raise tarfile.ReadError("unexpected end of data")
        return at


def _unpack_tar(stream: _Stream, guard: _Guard) -> int:
    n_files = 0
    with tarfile.open(fileobj=stream, mode="r:") as tar:  # type: ignore[call-overload]
        for member in _members(tar):
            if not (member.isreg() or member.isdir()) or member.issparse():
                kind = "a link" if member.issym() or member.islnk() else "a device or something else odd"
                raise guard.refuse(member.name, f"it is {kind}, neither a file nor a folder")
            path = guard.place(member.name, member.size, member.isdir())
            if member.isreg():
                content = tar.extractfile(member)
                assert content is not None  # of a regular file there is one
                stream.most = 2 * _CHUNK
                _write(path, content, member.size, guard, member.name)
                stream.most = _MAX_HEADER
                n_files += 1
    return n_files


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members one by one, none of them remembered."""
    while (member := tar.next()) is not None:
        yield member
        tar.members = []  # type: ignore[attr-defined]


def _unpack_zip(archive: Path, guard: _Guard) -> int:
    n_files = 0
    with zipfile.ZipFile(archive) as zipped:
        n_read = 0
        for member in zipped.infolist():
            guard.position = lambda at=n_read: at  # type: ignore[misc]
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                what = "a link" if kind == stat.S_IFLNK else "a device or something else odd"
                raise guard.refuse(member.filename, f"it is {what}, neither a file nor a folder")
            if member.flag_bits & 1:
                raise guard.refuse(member.filename, "it is encrypted")
            is_folder = member.filename.endswith("/")  # `is_dir` wants a name that is not empty
            path = guard.place(member.orig_filename, member.file_size, is_folder)
            if not is_folder:
                with zipped.open(member) as content:
                    _write(path, content, member.file_size, guard, member.filename, counts=True)
                n_files += 1
            n_read += member.compress_size
    return n_files


def _write(path: Path, content: IO[bytes], size: int, guard: _Guard, name: str, counts: bool = False) -> None:
    """Writes a file whole, or finds an equal one there."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".unpacking-")
    try:
        n_written = 0
        with os.fdopen(handle, "wb") as file:
            while chunk := content.read(_CHUNK):
                if counts:
                    guard.count(len(chunk), name)
                n_written += len(chunk)
                file.write(chunk)
        if n_written != size:
            raise EOFError(f"{name}: {n_written} bytes of {size}")
        Path(temporary).chmod(0o644)
        if os.path.lexists(path):
            if path.is_symlink() or not path.is_file() or not _equal(path, Path(temporary)):
                raise guard.refuse(name, f"{path} is there already, and is something else")
        else:
            Path(temporary).rename(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _equal(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as a, other.open("rb") as b:
        while chunk := a.read(_CHUNK):
            if chunk != b.read(_CHUNK):
                return False
    return True
