"""What an attacker would send: pickles, commands, endless files, names that lead out, codes that steer a terminal."""

import gzip
import io
import json
import lzma
import os
import pickle
import stat
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

ESCAPE = "\x1b[2J\x1b]0;owned\x07"
DEEP = "[" * 100_000
UP = "../../outside/evil"


class _Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (command(self.mark),)


def command(mark: Path) -> str:
    """What a shell would leave its mark with."""
    return f"touch {mark}"


def pickled(mark: Path) -> bytes:
    return pickle.dumps(_Evil(mark))


def torch_saved(mark: Path) -> bytes:
    """As `torch.save` lays it out."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("archive/data.pkl", pickled(mark))
        file.writestr("archive/version", "3\n")
    return content.getvalue()


def numpy_saved(mark: Path) -> bytes:
    """An array of objects, which numpy would unpickle."""
    header = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + pickled(mark)


def tensors(header: str, n_header: int | None = None, content: bytes = b"") -> bytes:
    """Safetensors with a header of one's own."""
    return struct.pack("<Q", len(header) if n_header is None else n_header) + header.encode() + content


def gzip_bomb(n_megabytes: int = 40) -> bytes:
    """A long line without an end."""
    return gzip.compress(b"a" * (n_megabytes << 20))


def xz_bomb(n_megabytes: int = 40) -> bytes:
    return lzma.compress(b"a" * (n_megabytes << 20), preset=0)


def tar(members: Mapping[str, bytes | tuple[bytes, str]]) -> bytes:
    """A tar.gz of files, or of members of another type with what they link to."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as file:
        for name, value in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(value, bytes):
                info.size = len(value)
                file.addfile(info, io.BytesIO(value))
            else:
                info.type, info.linkname = value
                file.addfile(info)
    return content.getvalue()


def zipped(members: Mapping[str, bytes], link: bool = False) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, value in members.items():
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = ((stat.S_IFLNK if link else stat.S_IFREG) | 0o644) << 16
            file.writestr(info, value)
    return content.getvalue()


def row(**changes: object) -> str:
    """A row of a manifest."""
    fine = {"id": "a", "audio": "a.wav", "start": 0.0, "duration": 1.0, "text": "yes", "speaker": "s", "language": "en"}
    return json.dumps(fine | changes) + "\n"


def put(path: Path, content: str | bytes = b"") -> Path:
    """Writes a file, its folders with it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode(errors="surrogatepass") if isinstance(content, str) else content)
    return path


def pipe(path: Path) -> Path:
    """A pipe that nobody writes to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    return path


def endless(path: Path) -> Path:
    """A link to a file without end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("/dev/zero")
    return path
