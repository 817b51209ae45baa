"""Checkpoint directories that are either whole or absent, whatever kills the process that writes them.

A directory is written beside its target, every file is flushed to the disk, a manifest with the size and SHA-256 of
every file comes last, and a rename makes it visible. Names starting with ``.tmp-`` and ``.old-`` in the same folder
belong to this module. One process at a time may write into a folder; any number may read while it does, since reading
never changes anything.
"""

import contextlib
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

MANIFEST_NAME = "MANIFEST.json"
_MANIFEST_VERSION = 1
_TMP = ".tmp-"
_OLD = ".old-"


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written or must not be read; the message names the file and the fault."""


def write_directory(path: Path, files: Mapping[str, Callable[[Path], None]]) -> None:
    """Writes a directory atomically: afterwards ``path`` holds all the files or what it held before.

    Args:
        path: The directory to create or replace. Its parent is created when missing.
        files: Name of each file (no sub-folders) to a function that writes it to the path it is given.

    Raises:
        CheckpointError: A file name is not plain, or the disk refused; what ``path`` held before is kept.
    """
    for name in files:
        if not name or name == MANIFEST_NAME or Path(name).name != name or name.startswith("."):
            raise CheckpointError(
                f"{path}: {name!r} cannot be the name of a file in a checkpoint; use a plain file name"
            )
    tmp = path.parent / f"{_TMP}{path.name}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        recover(path.parent)
        tmp.mkdir()
        _write_files(tmp, files)
        _replace(tmp, path)
    except OSError as error:
        raise CheckpointError(
            f"{path}: could not write the checkpoint ({error}); an earlier one is kept as it was"
        ) from error
    finally:
        _discard(tmp)


def writer(content: bytes) -> Callable[[Path], None]:
    """What `write_directory` wants for a file that holds `content`."""

    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def verify_directory(path: Path) -> None:
    """Checks a directory that `write_directory` wrote against its manifest: names, sizes and SHA-256.

    Raises:
        CheckpointError: Every fault found, each with its file: manifest missing or damaged, file missing, extra or
            changed.
    """
    try:
        listed = _read_manifest(path / MANIFEST_NAME)
        present = {entry.name for entry in path.iterdir()} - {MANIFEST_NAME}
        faults = [f"{path / name}: not listed in {MANIFEST_NAME}" for name in sorted(present - listed.keys())]
        for name, expected in listed.items():
            fault = _fault(path / name, expected)
            if fault:
                faults.append(f"{path / name}: {fault}")
    except OSError as error:
        raise CheckpointError(f"{path}: could not be read ({error})") from error
    if faults:
        raise CheckpointError("damaged checkpoint; use an earlier one:\n  " + "\n  ".join(faults))


def latest_checkpoint(folder: Path, prefix: str = "step-") -> Path | None:
    """Finds the checkpoint to resume from: the highest number after ``prefix`` whose content verifies.

    Damaged and unreadable checkpoints are skipped with a warning. One that a killed writer moved aside counts too.
    Returns None when the folder is missing or holds no good one.

    Raises:
        CheckpointError: The folder itself cannot be listed, so that nobody knows what it holds.
    """
    for path in reversed(_numbered(folder, prefix)):
        try:
            verify_directory(path)
        except CheckpointError as error:
            warnings.warn(f"skipping {path}: {error}", stacklevel=2)
        else:
            return path
    return None


def prune(folder: Path, keep: int, prefix: str = "step-") -> list[Path]:
    """Removes all but the newest ``keep`` whole checkpoints and returns what was removed.

    A damaged checkpoint never counts towards ``keep``, so it cannot push out a good one; that takes reading all that
    are kept. What the disk refuses to remove stays, with a warning: training need not end for that.

    Raises:
        CheckpointError: The folder cannot be listed.
    """
    if keep < 1:
        raise ValueError(f"keep is {keep}, expected at least 1: without a checkpoint nothing can be resumed")
    paths = _numbered(folder, prefix)
    n_good = 0
    while paths and n_good < keep:
        try:
            verify_directory(paths.pop())
        except CheckpointError:
            continue
        n_good += 1
    removed = []
    for path in reversed(paths):
        doomed = folder / f"{_TMP}{path.name}"  # never visible half-removed
        try:
            _discard(doomed)
            path.rename(doomed)
        except OSError as error:
            warnings.warn(f"{path}: could not be removed ({error}); remove it by hand", stacklevel=2)
        else:
            _discard(doomed)
            removed.append(path)
    return removed


def recover(folder: Path) -> None:
    """Tidies up after a killed writer: puts back a copy that was moved aside, removes unfinished directories.

    For the one process that writes; `write_directory` calls it.

    Raises:
        OSError: The folder cannot be listed, or a copy cannot be put back; no copy is lost.
    """
    for path in sorted(folder.iterdir()):
        if path.name.startswith(_OLD):
            target = folder / path.name.removeprefix(_OLD)
            if os.path.lexists(target):
                _discard(path)
            else:
                path.rename(target)
        elif path.name.startswith(_TMP):
            _discard(path)


def _write_files(folder: Path, files: Mapping[str, Callable[[Path], None]]) -> None:
    manifest: dict[str, Any] = {}
    for name, write in files.items():
        write(folder / name)
        _sync(folder / name)
        manifest[name] = {"sha256": _sha256(folder / name), "size": (folder / name).stat().st_size}
    (folder / MANIFEST_NAME).write_text(_manifest_text(manifest), encoding="utf-8")
    _sync(folder / MANIFEST_NAME)
    _sync(folder)


def _replace(tmp: Path, path: Path) -> None:
    """Renames ``tmp`` to ``path``; a previous ``path`` is removed only once the new one is in place."""
    aside = path.parent / f"{_OLD}{path.name}"
    replaces = os.path.lexists(path)
    if replaces:
        path.rename(aside)
    try:
        tmp.rename(path)
    except OSError:
        if replaces:
            aside.rename(path)
        raise
    _sync(path.parent)
    _discard(aside)


def _discard(path: Path) -> None:
    """Removes a directory, a file or a link if the disk lets us; what stays is in nobody's way and is tried again."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _read_manifest(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise CheckpointError(f"{path}: missing; the directory was not finished or is no checkpoint")
    text = path.read_bytes().decode("utf-8", errors="replace")
    try:
        files = json.loads(text)["files"]
        whole = text == _manifest_text(files)
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole or not isinstance(files, dict):
        raise CheckpointError(f"{path}: damaged; use an earlier checkpoint")
    return files


def _manifest_text(files: Mapping[str, Any]) -> str:
    return json.dumps({"files": files, "version": _MANIFEST_VERSION}, indent=1, sort_keys=True) + "\n"


def _fault(path: Path, expected: Any) -> str | None:
    if not isinstance(expected, dict) or expected.keys() != {"sha256", "size"}:
        return f"its entry in {MANIFEST_NAME} is damaged"
    if not path.is_file():
        return "missing"
    size = path.stat().st_size
    if size != expected["size"]:
        return f"is {size} bytes, expected {expected['size']}"
    if _sha256(path) != expected["sha256"]:
        return "its SHA-256 differs from the manifest"
    return None


def _numbered(folder: Path, prefix: str) -> list[Path]:
    """What is called prefix + number, lowest number first; moved aside only if nothing stands in its place."""
    try:
        present = {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be listed ({error}); make it readable or name another") from error
    numbers = {}
    for name in present:
        place = name.removeprefix(_OLD)
        digits = place.removeprefix(prefix)
        if place.startswith(prefix) and digits.isdecimal() and (name == place or place not in present):
            numbers[folder / name] = int(digits)
    return sorted(numbers, key=numbers.__getitem__)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
