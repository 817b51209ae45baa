"""Text files as they come: plain, or compressed by gzip or xz; from anywhere, so that neither need end."""

import errno
import gzip
import lzma
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

BROKEN = (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error)
"""What reading a damaged compressed file raises."""

MAX_LINE_BYTES = 1 << 24
"""No line of a text is longer; a small compressed file may hold one that fills all memory."""

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}


def open_text(path: Path) -> BinaryIO:
    """Opens a text file to be read as bytes; the name's ending says how it is compressed.

    Raises:
        OSError: It cannot be read, or is no file.
    """
    refuse_special(path)
    return cast(BinaryIO, _OPENERS.get(path.suffix, open)(path, "rb"))


def lines_of(path: Path, file: BinaryIO) -> Iterator[bytes]:
    """The lines of an opened text, their ends included.

    Raises:
        OSError: One is longer than `MAX_LINE_BYTES`.
    """
    while line := file.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            raise OSError(errno.EFBIG, f"a line longer than {MAX_LINE_BYTES} bytes; does it lack line ends?", str(path))
        yield line


def refuse_special(path: Path) -> None:
    """Refuses what is neither a file nor a folder: who reads from a pipe may wait, and from a device read, for ever.

    Raises:
        OSError: It is a pipe, a device or a socket, or not there.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "a pipe or a device, not a file; write what it gives to a file first", str(path))
