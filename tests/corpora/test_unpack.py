"""Archives from elsewhere, most of them hostile: nothing is written outside, and nobody waits for a bomb."""

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr.corpora import unpack as unpack_module
from asr.corpora.candidate import CorpusError
from asr.corpora.unpack import Limits, unpack

SMALL = Limits(n_files=10, ratio=100.0, depth=5, spare_bytes=0)


def member(name: str, content: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def write_tar(path: Path, members: list[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT) -> Path:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=form) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
    packers: dict[str, Callable[[bytes], bytes]] = {
        ".gz": gzip.compress,
        ".tgz": gzip.compress,
        ".bz2": bz2.compress,
        ".xz": lzma.compress,
    }
    path.write_bytes(packers.get(path.suffix, bytes)(raw.getvalue()))
    return path


def write_zip(path: Path, members: list[tuple[str, bytes, int]]) -> Path:
    """Names, contents and Unix modes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content, mode in members:
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(info, content)
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "below" / "out"


def outside(tmp_path: Path, archive: Path) -> set[str]:
    """What lies anywhere but in `out`, the archives aside."""
    archives = {path.name for path in archive.parent.glob("a.*")}
    return {name for name in files(tmp_path) if not name.startswith("below/out/")} - archives


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tgz", "tar.bz2", "tar.xz", "zip"])
def test_an_honest_archive(tmp_path: Path, out: Path, suffix: str) -> None:
    contents = {"top/a.txt": b"a" * 3_000_000, "top/deep/b": b"", "c": os.urandom(512)}
    path = tmp_path / f"a.{suffix}"
    if suffix == "zip":
        write_zip(path, [("top/", b"", stat.S_IFDIR | 0o755), *((name, each, 0) for name, each in contents.items())])
    else:
        folder = member("./top", b"", type=tarfile.DIRTYPE)
        write_tar(path, [folder, *(member(f"./{name}", each) for name, each in contents.items())])
    assert unpack(path, out) == 3
    assert files(out) == contents
    assert unpack(path, out) == 3  # once more is no harm, as after a kill
    (out / "c").write_bytes(b"mine")
    with pytest.raises(CorpusError, match="is there already, and is something else"):
        unpack(path, out)
    assert (out / "c").read_bytes() == b"mine"
    assert outside(tmp_path, path) == set()


NAMES = {
    "up": "../evil",
    "up from below": "a/../../evil",
    "up at the end": "a/..",
    "absolute": "/tmp/asr-evil",
    "twice absolute": "//tmp/asr-evil",
    "backslash": "a\\..\\..\\evil",
    "drive": "C:evil",
    "escape": "a\x1b[2Jb",
    "line": "a\nb",
    "turned": "a\u202eb",
    "long": "x" * 256,
    "deep": "a/b/c/d/e/f",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_a_hostile_name(tmp_path: Path, out: Path, name: str, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        write_zip(path, [("good", b"x", 0), (name, b"x", 0), ("after", b"x", 0)])
    else:
        write_tar(path, [member("good"), member(name), member("after")])
    with pytest.raises(CorpusError, match="is not what a publisher of speech makes") as caught:
        unpack(path, out, SMALL)
    assert "\x1b" not in str(caught.value)
    assert files(out) == {"good": b"x"}
    assert outside(tmp_path, path) == set()


TYPES = {
    "symlink": {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
    "symlink inside": {"type": tarfile.SYMTYPE, "linkname": "good"},
    "symlink up": {"type": tarfile.SYMTYPE, "linkname": "../.."},
    "hardlink": {"type": tarfile.LNKTYPE, "linkname": "../../secret"},
    "hardlink inside": {"type": tarfile.LNKTYPE, "linkname": "good"},
    "device": {"type": tarfile.BLKTYPE, "devmajor": 8},
    "terminal": {"type": tarfile.CHRTYPE, "devmajor": 5},
    "pipe": {"type": tarfile.FIFOTYPE},
}


@pytest.mark.parametrize("fields", TYPES.values(), ids=TYPES)
def test_neither_links_nor_devices(tmp_path: Path, out: Path, fields: dict[str, object]) -> None:
    path = write_tar(tmp_path / "a.tar.gz", [member("good"), member("a", b"", **fields), member("a/b")])
    with pytest.raises(CorpusError, match="neither a file nor a folder"):
        unpack(path, out, SMALL)
    assert [each.name for each in out.iterdir()] == ["good"]


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFBLK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_neither_links_nor_devices_in_a_zip(tmp_path: Path, out: Path, mode: int) -> None:
    path = write_zip(tmp_path / "a.zip", [("good", b"x", 0), ("a", b"/etc/passwd", mode | 0o777)])
    with pytest.raises(CorpusError, match="neither a file nor a folder"):
        unpack(path, out, SMALL)
    assert [each.name for each in out.iterdir()] == ["good"]


def test_a_link_that_lies_there_already_leads_nobody_out(tmp_path: Path, out: Path) -> None:
    out.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (out / "a").symlink_to(tmp_path / "elsewhere")
    (out / "b").symlink_to(tmp_path / "elsewhere" / "b")
    with pytest.raises(CorpusError, match="leads its folder elsewhere"):
        unpack(write_tar(tmp_path / "a.tar", [member("a/x")]), out, SMALL)
    with pytest.raises(CorpusError, match="is there already"):
        unpack(write_tar(tmp_path / "a.tar", [member("b")]), out, SMALL)
    assert files(tmp_path / "elsewhere") == {}


@pytest.mark.parametrize("suffix", ["tar.gz", "tar.xz", "zip"])
def test_a_bomb_is_stopped_by_its_ratio(
    tmp_path: Path, out: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack_module, "_FREE_BYTES", 1 << 20)
    content, path = bytes(16 << 20), tmp_path / f"a.{suffix}"
    if suffix == "zip":
        write_zip(path, [("zeros", content, 0)])
    else:
        write_tar(path, [member("zeros", content)])
    assert path.stat().st_size < 40_000
    with pytest.raises(CorpusError, match="times the archive's size"):
        unpack(path, out, Limits(spare_bytes=0))
    assert files(out) == {}


def test_a_bomb_of_many_files(tmp_path: Path, out: Path) -> None:
    path = write_tar(tmp_path / "a.tar.gz", [member(f"f{n}") for n in range(11)])
    with pytest.raises(CorpusError, match="more than 10 files"):
        unpack(path, out, SMALL)


def test_claims_beyond_the_disk(tmp_path: Path, out: Path) -> None:
    info, _ = member("huge")
    info.size = 1 << 60
    (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(CorpusError, match="more than the disk has to spare"):
        unpack(tmp_path / "a.tar", out, SMALL)
    with pytest.raises(CorpusError, match="the disk is full but for"):
        unpack(write_tar(tmp_path / "b.tar", [member("a")]), out, Limits(spare_bytes=1 << 60))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_header_that_would_fill_memory(tmp_path: Path, out: Path, kind: bytes) -> None:
    info, content = member("header", bytes(1 << 20), type=kind)
    raw = info.tobuf(tarfile.GNU_FORMAT) + content
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(raw))
    with pytest.raises(CorpusError, match="larger than any that is honest"):
        unpack(tmp_path / "a.tar.gz", out, SMALL)


def test_a_chain_of_headers_without_end(tmp_path: Path, out: Path) -> None:
    info, content = member("header", b"11 path=ab\n".ljust(512, b"\0"), type=tarfile.XHDTYPE)
    (tmp_path / "a.tar").write_bytes((info.tobuf(tarfile.USTAR_FORMAT) + content) * 5_000)
    with pytest.raises(CorpusError):
        unpack(tmp_path / "a.tar", out, SMALL)
    assert files(out) == {}


def test_zips_that_lie(tmp_path: Path, out: Path) -> None:
    path = write_zip(tmp_path / "a.zip", [("a", b"x" * 1000, 0)])
    content = path.read_bytes()
    for old, new in (((1000).to_bytes(4, "little"), (10).to_bytes(4, "little")), (b"\x14\0\0\0", b"\x14\0\1\0")):
        path.write_bytes(content.replace(old, new))
        with pytest.raises(CorpusError):
            unpack(path, out, SMALL)
    assert files(out) == {}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edits=st.lists(st.tuples(st.integers(0, 4000), st.binary(min_size=1, max_size=8)), max_size=6),
    cut=st.integers(0, 5000),
    suffix=st.sampled_from(["tar", "tar.gz", "zip"]),
)
def test_whatever_happens_to_an_archive(tmp_path: Path, edits: list[tuple[int, bytes]], cut: int, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "zip":
        write_zip(path, [("top/a", b"hello" * 50, 0), ("b", b"", 0)])
    else:
        write_tar(path, [member("top/a", b"hello" * 50), member("b" * 120, b"x")])
    content = bytearray(path.read_bytes())
    for at, piece in edits:
        content[at : at + len(piece)] = piece
    path.write_bytes(bytes(content[: len(content) - cut] if edits and cut < len(content) else content))
    out = tmp_path / "below" / "out"
    try:
        unpack(path, out, SMALL)
    except CorpusError as error:
        assert str(path) in str(error)
    assert outside(tmp_path, path) == set()
    assert not [each for each in out.rglob("*") if each.is_symlink() or each.name.startswith(".unpacking")]
    for each in sorted(out.rglob("*"), reverse=True):
        each.unlink() if each.is_file() else each.rmdir()


def test_a_member_without_a_name(tmp_path: Path, out: Path) -> None:
    path = write_zip(tmp_path / "a.zip", [("", b"x", 0)])
    with pytest.raises(CorpusError, match="it has no name"):
        unpack(path, out, SMALL)
