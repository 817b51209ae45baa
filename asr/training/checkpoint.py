"""Checkpoint directories that are either whole or absent, whatever kills the process that writes them.

A directory is written beside its target, every file is flushed to the disk, a manifest with the size and SHA-256 of
every file comes last, and a rename makes it visible. Names starting with ``.tmp-`` and ``.old-`` in the same folder
belong to this module; one process at a time may write into a folder.
"""

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
        shutil.rmtree(tmp, ignore_errors=True)


def writer(content: bytes) -> Callable[[Path], None]:
    """What `write_directory` wants for a file that holds `content`."""

    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def verify_directory(path: Path, *, hashes: bool = True) -> None:
    """Checks a directory against its manifest.

    Args:
        path: A directory written by `write_directory`.
        hashes: Also compare the SHA-256 of every file; without it only names and sizes.

    Raises:
        CheckpointError: Every fault found, each with its file: manifest missing or damaged, file missing, extra or
            changed.
    """
    try:
        listed = _read_manifest(path / MANIFEST_NAME)
        present = {entry.name for entry in path.iterdir()} - {MANIFEST_NAME}
        faults = [f"{path / name}: not listed in {MANIFEST_NAME}" for name in sorted(present - listed.keys())]
        for name, expected in listed.items():
            fault = _fault(path / name, expected, hashes)
            if fault:
                faults.append(f"{path / name}: {fault}")
    except OSError as error:
        raise CheckpointError(f"{path}: could not be read ({error})") from error
    if faults:
        raise CheckpointError("damaged checkpoint; use an earlier one:\n  " + "\n  ".join(faults))


def latest_checkpoint(folder: Path, prefix: str = "step-") -> Path | None:
    """Finds the checkpoint to resume from: the highest number after ``prefix`` whose content verifies.

    Damaged checkpoints are skipped with a warning. Returns None when the folder holds no good one.
    """
    if not folder.is_dir():
        return None
    recover(folder)
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

    A damaged checkpoint never counts towards ``keep``, so it cannot push out a good one.
    """
    if keep < 1:
        raise ValueError(f"keep is {keep}, expected at least 1: without a checkpoint nothing can be resumed")
    n_good = 0
    removed = []
    for path in reversed(_numbered(folder, prefix)):
        if n_good >= keep:
            doomed = path.rename(folder / f"{_TMP}{path.name}")  # never visible half-removed
            shutil.rmtree(doomed)
            removed.append(path)
            continue
        try:
            verify_directory(path, hashes=False)
        except CheckpointError:
            continue
        n_good += 1
    return removed


def recover(folder: Path) -> None:
    """Tidies up after a killed writer: puts back a copy that was moved aside, removes unfinished directories."""
    for aside in folder.glob(f"{_OLD}*"):
        target = folder / aside.name.removeprefix(_OLD)
        if target.exists():
            shutil.rmtree(aside)
        else:
            aside.rename(target)
    for unfinished in folder.glob(f"{_TMP}*"):
        shutil.rmtree(unfinished)


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
    if path.exists():
        path.rename(aside)
    try:
        tmp.rename(path)
    except OSError:
        if aside.exists():
            aside.rename(path)
        raise
    _sync(path.parent)
    shutil.rmtree(aside, ignore_errors=True)


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


def _fault(path: Path, expected: Any, hashes: bool) -> str | None:
    if not isinstance(expected, dict) or expected.keys() != {"sha256", "size"}:
        return f"its entry in {MANIFEST_NAME} is damaged"
    if not path.is_file():
        return "missing"
    size = path.stat().st_size
    if size != expected["size"]:
        return f"is {size} bytes, expected {expected['size']}"
    if hashes and _sha256(path) != expected["sha256"]:
        return "its SHA-256 differs from the manifest"
    return None


def _numbered(folder: Path, prefix: str) -> list[Path]:
    """Directories called prefix + number, lowest number first."""
    numbers = {
        path: int(path.name.removeprefix(prefix))
        for path in folder.glob(f"{prefix}*")
        if path.is_dir() and path.name.removeprefix(prefix).isdecimal()
    }
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
