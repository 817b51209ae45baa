"""The utterances of manifests, as many as there may be: a row is read when it is asked for, durations are at hand."""

import io
import os
import weakref
import zlib
from bisect import bisect_right
from collections.abc import Sequence
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import NoReturn, overload

import numpy as np
from numpy.typing import NDArray

from asr.corpora.index import Index, ProgressBar, build_index, kept_index, no_bar
from asr.corpora.manifest import ManifestError, Utterance, open_manifest, parse_row

KEPT_FROM_BYTES = 8 << 20
"""From this size on, an index is kept beside a manifest: making it takes more than half a second."""


class Utterances(Sequence[Utterance]):
    """The rows of manifests, one manifest after the other.

    No object is held per row, so processes forked from this one share what there is. A manifest that is replaced while
    it is open stays what it was; one that is written over is noticed at the first row that differs.

    Args:
        paths: JSONL files, as `read_manifest` takes them.
        target: the key whose string becomes `Utterance.text`.
        progress_bar: shows how a large manifest is gone through for the first time.

    Attributes:
        seconds: (n,) float64 durations.
        fingerprint: SHA-256 of all ids, durations and texts: what the order of training and its targets depend on.
        alphabet: every character of the normalised texts but the blank, in order.

    Raises:
        ManifestError: a manifest is missing or faulty; all faults of the first such are listed.
    """

    def __init__(self, paths: Sequence[Path], target: str = "text", progress_bar: ProgressBar = no_bar) -> None:
        self._manifests = [_Manifest(Path(path), target, progress_bar) for path in paths]
        indexes = [manifest.index for manifest in self._manifests]
        self._ends = list(accumulate(len(index.offsets) for index in indexes))
        one = len(indexes) == 1
        self.seconds: NDArray[np.float64] = (
            indexes[0].seconds if one else np.concatenate([np.zeros(0), *(index.seconds for index in indexes)])
        )
        prints = [index.fingerprint for index in indexes]
        self.fingerprint = prints[0] if one else sha256("\n".join(prints).encode()).hexdigest()
        self.alphabet = "".join(sorted(set().union(*(index.alphabet for index in indexes))))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> Utterance: ...
    @overload
    def __getitem__(self, index: slice) -> list[Utterance]: ...
    def __getitem__(self, index: int | slice) -> Utterance | list[Utterance]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        row = range(len(self))[index]
        which = bisect_right(self._ends, row)
        return self._manifests[which].row(row - ([0, *self._ends][which]))


class _Manifest:
    """One manifest, opened. A small one is held in memory; of a large one a row is read from the file."""

    def __init__(self, path: Path, target: str, progress_bar: ProgressBar) -> None:
        self.path = path
        self.target = target
        self._folder = path.absolute().parent
        self._content: bytes | None = None
        self.index: Index
        with open_manifest(path) as file:
            self._n_bytes = os.fstat(file.fileno()).st_size
            if self._n_bytes < KEPT_FROM_BYTES:
                self._content = file.read()
                self._n_bytes = len(self._content)
                self.index = build_index(path, io.BytesIO(self._content), target)
                return
            self.index = kept_index(path, file, target, progress_bar)
            self._file = os.dup(file.fileno())
            weakref.finalize(self, os.close, self._file)

    def row(self, number: int) -> Utterance:
        """Reads row `number`, from 0.

        Raises:
            ManifestError: it is not what it was when the index was made.
        """
        offsets = self.index.offsets
        start = int(offsets[number])
        end = int(offsets[number + 1]) if number + 1 < len(offsets) else self._n_bytes
        content = self._bytes(start, end).partition(b"\n")[0]
        if zlib.crc32(content) != self.index.checksums[number]:
            raise ManifestError(
                f"{self.path}: row {number + 1}, at byte {start}, has changed since the manifest was opened; restore "
                "it, or start again with it as it is now"
            )
        try:
            return parse_row(content, self._folder, self.target)
        except (ValueError, OverflowError) as error:  # an index that was not made of this manifest
            raise ManifestError(f"{self.path}: row {number + 1}, at byte {start}: {error}") from error

    def _bytes(self, start: int, end: int) -> bytes:
        if self._content is not None:
            return self._content[start:end]
        try:
            return os.pread(self._file, end - start, start)  # needs no position, which forked processes would share
        except (OSError, ValueError, OverflowError) as error:
            raise ManifestError(f"{self.path}: cannot be read any more ({error})") from error

    def __getstate__(self) -> NoReturn:
        raise TypeError("utterances are shared with processes by forking; they cannot be pickled")
