"""Where public corpora are published, for those that anyone may fetch from their publisher; and how to get them."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from asr.corpora.candidate import CorpusError
from asr.corpora.fetch import fetch
from asr.corpora.index import ProgressBar, no_bar
from asr.corpora.librispeech import LIBRISPEECH_100, MINI_LIBRISPEECH
from asr.corpora.manifest import whole_file
from asr.corpora.unpack import unpack


@dataclass(frozen=True)
class Archive:
    """A file that a publisher offers.

    Attributes:
        url: where.
        digest: `md5:…` or `sha256:…` of it.
        split: the split that it holds; empty where it holds all.
    """

    url: str
    digest: str
    split: str = ""


@dataclass(frozen=True)
class Publication:
    """A corpus as it is published.

    Attributes:
        archives: its files.
        top: the folder, below the one they are unpacked in, that a loader takes as SOURCE.
        into: the folder to unpack in; empty where the archives bring one.
        inner: archives inside the archives, as a glob below the folder; each is unpacked where it lies.
    """

    archives: tuple[Archive, ...]
    top: str
    into: str = ""
    inner: str = ""


_SLR = "https://www.openslr.org/resources"
_LIBRISPEECH = {  # https://www.openslr.org/resources/12/md5sum.txt
    "dev-clean": "42e2234ba48799c1f50f24a7926300a1",
    "dev-other": "c8d0bcc9cca99d4f8b62fcc847357931",
    "test-clean": "32fa31d27d2e1cad72775fee3f4849a9",
    "test-other": "fb5a50374b501bb3bac4815ee91d3135",
    "train-clean-100": "2a93770f6d5c6c964bc36631d331a522",
    "train-clean-360": "c0e676e450a7ff2f54aeade5171606fa",
    "train-other-500": "d1a0fd59409feb2c614ce4d30c387708",
}
_MINI = {  # https://www.openslr.org/resources/31/md5sum.txt
    "train-clean-5": "5df7d4e78065366204ca6845bb08f490",
    "dev-clean-2": "6d7ab67ac6a1d2c993d050e16d61080d",
}


def _librispeech(resource: int, digests: dict[str, str], subsets: Collection[str]) -> Publication:
    archives = [Archive(f"{_SLR}/{resource}/{subset}.tar.gz", f"md5:{digests[subset]}", subset) for subset in subsets]
    return Publication(tuple(archives), "LibriSpeech")


PUBLICATIONS: dict[str, Publication] = {
    "librispeech": _librispeech(12, _LIBRISPEECH, _LIBRISPEECH),
    "librispeech_100": _librispeech(12, _LIBRISPEECH, LIBRISPEECH_100),
    "mini_librispeech": _librispeech(31, _MINI, MINI_LIBRISPEECH),
    "yesno": Publication(  # as torchaudio checks it; the publisher gives no digest
        (
            Archive(
                f"{_SLR}/1/waves_yesno.tar.gz",
                "sha256:30301975fd8c5cac4040c261c0852f57cfa8adbbad2ce78e77e4986957445f27",
            ),
        ),
        "waves_yesno",
    ),
    "aishell": Publication(  # as PaddleSpeech checks it
        (Archive(f"{_SLR}/33/data_aishell.tgz", "md5:2f494334227864a8a8fec932999db9d8"),),
        "data_aishell",
        inner="data_aishell/wav/*.tar.gz",
    ),
    "ljspeech": Publication(  # as torchaudio checks it
        (
            Archive(
                "https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2",
                "sha256:be1a30453f28eb8dd26af4101ae40cbf2c50413b1bb21936cbcdc6fae3de8aa5",
            ),
        ),
        "LJSpeech-1.1",
    ),
    "speech_commands": Publication(  # the server's own mark of the file
        (
            Archive(
                "https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
                "md5:6b74f3901214cb2c2934e98196829835",
            ),
        ),
        "speech_commands_v0.02",
        into="speech_commands_v0.02",
    ),
}
"""The corpora that `--download` fetches; their licences are their own."""


def obtain(corpus: str, folder: Path, only: Collection[str] = (), bar: ProgressBar = no_bar) -> Path:
    """Fetch a corpus from its publisher and unpack it; what is there already is not fetched again.

    Args:
        corpus: one of `PUBLICATIONS`.
        folder: where to unpack it. Archives are removed once they are unpacked, and remembered in `.unpacked`.
        only: the splits that are wanted, where each has an archive of its own; none for all.
        bar: shows the progress of each archive.

    Returns:
        What a loader takes as SOURCE.

    Raises:
        CorpusError: the corpus cannot be fetched so, or something goes wrong on the way; what has come is kept.
    """
    if corpus not in PUBLICATIONS:
        raise CorpusError(
            f"{corpus}: --download does not know where it is published, or its publisher wants to be asked; fetch it "
            f"by hand. Known are {', '.join(PUBLICATIONS)}"
        )
    publication = PUBLICATIONS[corpus]
    target = folder / publication.into
    for archive in publication.archives:
        if only and archive.split and archive.split not in only:
            continue
        name = PurePosixPath(archive.url).name
        done = folder / ".unpacked" / f"{name}.json"
        if done.exists():
            continue
        with bar(f"fetching {name}") as progress:
            packed = fetch(archive.url, folder / name, archive.digest, progress)
        with bar(f"unpacking {name}") as progress:
            n_files = unpack(packed, target, progress=progress)
        _unpack_inner(target, publication.inner, bar)
        done.parent.mkdir(exist_ok=True)
        with whole_file(done) as file:
            file.write(json.dumps({"url": archive.url, "digest": archive.digest, "files": n_files}).encode())
        packed.unlink()
    return folder / publication.top


def _unpack_inner(folder: Path, inner: str, bar: ProgressBar) -> None:
    paths = sorted(folder.glob(inner)) if inner else []
    if not paths:
        return
    with bar(f"unpacking {len(paths)} archives in {paths[0].parent.name}") as progress:
        for n_done, path in enumerate(paths, start=1):
            unpack(path, path.parent)
            path.unlink()
            progress(n_done, len(paths))
