"""Fetching from a server that this file starts: it knows ranges, and everything that goes wrong with servers."""

import hashlib
import io
import tarfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from asr.corpora import fetch as fetch_module
from asr.corpora.candidate import CorpusError
from asr.corpora.fetch import fetch
from asr.corpora.publishers import PUBLICATIONS, Archive, Publication, obtain

CONTENT = bytes(range(256)) * 20_000
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"


@dataclass
class Server:
    """What a server has and how it behaves.

    Attributes:
        files: contents by path.
        ranges: whether it knows ranges.
        breaks_after: bytes of an answer after which it breaks off, answer by answer; all of it when the list is empty.
        statuses: statuses to answer with before it behaves.
        asked: the ranges it was asked for.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=lambda: {"/a.tar": CONTENT})
    etag: str = '"1"'
    ranges: bool = True
    breaks_after: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    redirect: str = ""
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            """Says nothing."""

        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            state.asked.append(asked)
            if state.statuses:
                self.send_error(state.statuses.pop(0))
                return
            if state.redirect and self.path != "/a.tar":
                self.send_response(302)
                self.send_header("Location", state.redirect)
                self.end_headers()
                return
            content = state.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and state.ranges else 0
            if self.headers.get("If-Range", state.etag) != state.etag:
                start = 0
            if start >= len(content) > 0:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("ETag", state.etag)
            self.end_headers()
            end = start + state.breaks_after.pop(0) if state.breaks_after else len(content)
            self.wfile.write(content[start:end])

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *words: object) -> None:
            """Says nothing of clients that hang up, as some here do."""

    http = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_port}"
    monkeypatch.setattr(fetch_module, "WAITS_S", (0.0, 0.0))
    monkeypatch.setattr(fetch_module, "SPARE_BYTES", 0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


def test_whole_and_told_and_kept(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    target = fetch(
        f"{server.url}/a.tar", tmp_path / "deep" / "a.tar", MD5, lambda done, total: told.append((done, total))
    )
    assert target.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [path.name for path in target.parent.iterdir()] == ["a.tar"]
    fetch(f"{server.url}/a.tar", target, MD5)
    assert len(server.asked) == 1  # what is there is not fetched again


def test_it_goes_on_where_the_connection_broke(server: Server, tmp_path: Path) -> None:
    server.breaks_after = [1_000_000, 1_500_000]
    assert fetch(f"{server.url}/a.tar", tmp_path / "a.tar", MD5).read_bytes() == CONTENT
    assert server.asked == ["", "bytes=1000000-", "bytes=2500000-"]


def test_it_goes_on_in_another_call(server: Server, tmp_path: Path) -> None:
    server.breaks_after = [7, 0, 0, 0]
    with pytest.raises(CorpusError, match="7 bytes are kept, the same command goes on from there"):
        fetch(f"{server.url}/a.tar", tmp_path / "a.tar", MD5)
    assert (tmp_path / "a.tar.part").stat().st_size == 7
    assert fetch(f"{server.url}/a.tar", tmp_path / "a.tar", MD5).read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=7-"


def test_a_file_that_has_changed_meanwhile_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    server.breaks_after = [1000, 0, 0, 0]
    with pytest.raises(CorpusError):
        fetch(f"{server.url}/a.tar", tmp_path / "a.tar", None)
    server.files["/a.tar"], server.etag = CONTENT[::-1], '"2"'
    assert fetch(f"{server.url}/a.tar", tmp_path / "a.tar", None).read_bytes() == CONTENT[::-1]


def test_a_server_without_ranges(server: Server, tmp_path: Path) -> None:
    server.ranges, server.breaks_after = False, [1000]
    assert fetch(f"{server.url}/a.tar", tmp_path / "a.tar", MD5).read_bytes() == CONTENT


def test_all_of_it_was_there_when_the_process_died(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.tar.part").write_bytes(CONTENT)
    (tmp_path / "a.tar.part.version").write_text('"1"')
    assert fetch(f"{server.url}/a.tar", tmp_path / "a.tar", MD5).read_bytes() == CONTENT
    (tmp_path / "a.tar").unlink()
    (tmp_path / "a.tar.part").write_bytes(CONTENT + b"more")
    (tmp_path / "a.tar.part.version").write_text('"1"')
    assert fetch(f"{server.url}/a.tar", tmp_path / "a.tar", MD5).read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_a_wrong_checksum_keeps_nothing(server: Server, tmp_path: Path, kind: str) -> None:
    wrong = f"{kind}:{hashlib.new(kind, b'other').hexdigest()}"
    with pytest.raises(CorpusError, match=f"{kind} is .*, expected .*: damaged on its way"):
        fetch(f"{server.url}/a.tar", tmp_path / "a.tar", wrong)
    assert not (tmp_path / "a.tar").exists()
    assert not (tmp_path / "a.tar.part").exists()
    (tmp_path / "a.tar").write_bytes(b"mine")
    with pytest.raises(CorpusError, match="remove it"):
        fetch(f"{server.url}/a.tar", tmp_path / "a.tar", MD5)
    assert (tmp_path / "a.tar").read_bytes() == b"mine"


def test_what_a_server_says(server: Server, tmp_path: Path) -> None:
    server.statuses = [503, 429, 500]
    with pytest.raises(CorpusError, match="the server says 500"):
        fetch(f"{server.url}/a.tar", tmp_path / "a.tar", MD5)
    server.statuses = [503]
    assert fetch(f"{server.url}/a.tar", tmp_path / "a.tar", MD5).exists()
    with pytest.raises(CorpusError, match="404 Not Found; has the corpus moved"):
        fetch(f"{server.url}/gone.tar", tmp_path / "gone.tar", None)
    assert server.asked[-1] == ""


def test_where_it_does_not_go(server: Server, tmp_path: Path) -> None:
    for url in ("file:///etc/passwd", "ftp://x/a", "/etc/passwd"):
        with pytest.raises(CorpusError, match="only http and https"):
            fetch(url, tmp_path / "a", None)
    for place in ("file:///etc/passwd", "ftp://127.0.0.1/a"):
        server.redirect = place
        with pytest.raises(CorpusError, match="which is not followed|is not allowed"):
            fetch(f"{server.url}/elsewhere", tmp_path / "a", None)
    server.redirect = f"{server.url}/a.tar"
    assert fetch(f"{server.url}/elsewhere", tmp_path / "b", MD5).exists()
    request = urllib.request.Request("https://127.0.0.1/a")
    with pytest.raises(fetch_module._Refused, match="http://x/a, which is not followed"):
        fetch_module._SameProtocol().redirect_request(request, io.BytesIO(), 302, "Found", Message(), "http://x/a")
    with pytest.raises(CorpusError, match="refused|Connection"):
        fetch("http://127.0.0.1:9/a", tmp_path / "c", None)


def test_a_full_disk(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_module, "SPARE_BYTES", 1 << 60)
    with pytest.raises(CorpusError, match="are to come, .* are free"):
        fetch(f"{server.url}/a.tar", tmp_path / "a.tar", MD5)


def test_two_at_once(server: Server, tmp_path: Path) -> None:
    with fetch_module._alone(tmp_path / "a.tar.part"), pytest.raises(CorpusError, match="another process"):
        fetch(f"{server.url}/a.tar", tmp_path / "a.tar", MD5)


@pytest.fixture
def published(server: Server, tmp_path: Path, speak: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Server:
    """Two subsets of LibriSpeech on the server, and a corpus with archives in its archive."""
    archives = []
    for subset in ("train-clean-5", "dev-clean-2"):
        chapter = tmp_path / "made" / "LibriSpeech" / subset / "1" / "2"
        speak(chapter / "1-2-0000.flac")
        (chapter / "1-2.trans.txt").write_text("1-2-0000 YES\n")
        (tmp_path / "made" / "LibriSpeech" / "README.TXT").write_text("the same in each\n")
        with tarfile.open(tmp_path / f"{subset}.tar.gz", "w:gz") as tar:
            tar.add(tmp_path / "made" / "LibriSpeech" / "README.TXT", "LibriSpeech/README.TXT")
            tar.add(chapter.parents[1], f"LibriSpeech/{subset}")
        content = (tmp_path / f"{subset}.tar.gz").read_bytes()
        server.files[f"/{subset}.tar.gz"] = content
        digest = f"md5:{hashlib.md5(content).hexdigest()}"
        archives.append(Archive(f"{server.url}/{subset}.tar.gz", digest, subset))
    monkeypatch.setitem(PUBLICATIONS, "mini_librispeech", Publication(tuple(archives), "LibriSpeech"))
    return server


def test_from_a_publisher_to_manifests(published: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from asr.cli.main import main

    words = ["asr", "prepare", "mini_librispeech", str(tmp_path / "got"), str(tmp_path / "out"), "--download"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as leave:
        main()
    assert not leave.value.code
    assert sorted(path.name for path in (tmp_path / "out").glob("*.jsonl")) == [
        "dev-clean-2.jsonl",
        "train-clean-5.jsonl",
    ]
    assert sorted(path.name for path in (tmp_path / "got").iterdir()) == [".unpacked", "LibriSpeech"]
    n_asked = len(published.asked)
    assert obtain("mini_librispeech", tmp_path / "got") == tmp_path / "got" / "LibriSpeech"
    assert len(published.asked) == n_asked


def test_only_what_is_asked_for(published: Server, tmp_path: Path) -> None:
    source = obtain("mini_librispeech", tmp_path / "got", ["dev-clean-2"])
    assert sorted(path.name for path in source.iterdir()) == ["README.TXT", "dev-clean-2"]
    with pytest.raises(CorpusError, match="common_voice: --download does not know.*librispeech"):
        obtain("common_voice", tmp_path / "got")


def test_archives_in_an_archive(published: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "S1").mkdir()
    (tmp_path / "S1" / "a.wav").write_bytes(b"x")
    with tarfile.open(tmp_path / "S1.tar.gz", "w:gz") as inner:
        inner.add(tmp_path / "S1", "train/S1")
    with tarfile.open(tmp_path / "outer.tgz", "w:gz") as outer:
        outer.add(tmp_path / "S1.tar.gz", "data_aishell/wav/S1.tar.gz")
    published.files["/outer.tgz"] = content = (tmp_path / "outer.tgz").read_bytes()
    archive = Archive(f"{published.url}/outer.tgz", f"sha256:{hashlib.sha256(content).hexdigest()}")
    monkeypatch.setitem(
        PUBLICATIONS, "aishell", Publication((archive,), "data_aishell", inner="data_aishell/wav/*.tar.gz")
    )
    source = obtain("aishell", tmp_path / "got")
    assert [str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()] == ["wav/train/S1/a.wav"]


def test_the_table_of_publishers() -> None:
    from asr.corpora.prepare import CORPORA

    assert PUBLICATIONS.keys() <= CORPORA.keys()
    for publication in PUBLICATIONS.values():
        for archive in publication.archives:
            kind, _, digest = archive.digest.partition(":")
            assert archive.url.startswith("https://")
            assert len(bytes.fromhex(digest)) == {"md5": 16, "sha256": 32}[kind]
