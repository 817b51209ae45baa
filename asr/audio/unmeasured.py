"""MP3 files that do not say how long they are.

libsndfile (1.2.2 at least) then takes the bit rate of the first frame for that of all, computes a length from the size
of the file, and stops there without an error: of 20 s with a variable bit rate and a quiet start it returned 5.4 s.
Shown a larger file than there is, it reads on to the true end.
"""

import os
from typing import BinaryIO

_LENGTH_MARKS = (b"Xing", b"Info", b"VBRI")
"""What the first frame holds where it says the length; encoders write one of them."""

_LOOK_BYTES = 4096
_FACTOR = 64
"""Rates go from 8 to 320 kbit/s: no file is longer than this many times the guess."""


class Unmeasured:
    """A file that seems larger than it is, to those who ask where its end is.

    Args:
        file: at its start.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at_end = False

    def seek(self, at: int, whence: int = os.SEEK_SET) -> int:
        """Goes there; remembers whether that is the end."""
        self._at_end = whence == os.SEEK_END
        return self._file.seek(at, whence)

    def tell(self) -> int:
        """Where it is; at the end, far behind it."""
        return self._file.tell() * (_FACTOR if self._at_end else 1)

    def read(self, n: int = -1) -> bytes:
        """Up to n bytes."""
        self._at_end = False
        return self._file.read(n)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def lacks_length(file: BinaryIO) -> bool:
    """Whether a file looks like an MP3 whose first frame says nothing of its length; leaves it at its start."""
    head = file.read(10)
    if len(head) == 10 and head.startswith(b"ID3"):  # a tag before the frames; its size has seven bits in a byte
        size = 0
        for byte in head[6:]:
            size = size << 7 | byte & 0x7F
        file.seek(10 + size)
        head = b""
    head += file.read(_LOOK_BYTES)
    file.seek(0)
    start = head.find(b"\xff")
    is_frame = start >= 0 and len(head) > start + 1 and head[start + 1] & 0xE0 == 0xE0
    return is_frame and not any(mark in head for mark in _LENGTH_MARKS)
