"""Text files as they come: plain, or compressed by gzip or xz."""

import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

BROKEN = (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error)
"""What reading a damaged compressed file raises."""

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}


def open_text(path: Path) -> BinaryIO:
    """Opens a text file to be read as bytes; the name's ending says how it is compressed.

    Raises:
        OSError: It cannot be read.
    """
    return cast(BinaryIO, _OPENERS.get(path.suffix, open)(path, "rb"))
