"""LibriSpeech (Panayotov et al., 2015), Mini LibriSpeech, and any tree laid out like them.

SOURCE holds subset folders (`train-clean-5`, `dev-clean`, …); a subset is
`{speaker}/{chapter}/{speaker}-{chapter}-{number}.{flac,opus,…}` with `{speaker}-{chapter}.trans.txt` beside the audio,
lines of `id TEXT`. Each subset becomes one split of its own name. Two selections have names of their own:
LibriSpeech-100 (train-clean-100 and all of dev and test) and Mini LibriSpeech (train-clean-5, dev-clean-2).
"""

from pathlib import Path

from asr.corpora.candidate import Candidate, CorpusError, Progress, Splits
from asr.corpora.layout import index_audio, read_lines, require_folder

LIBRISPEECH_100 = ("train-clean-100", "dev-clean", "dev-other", "test-clean", "test-other")
"""The subsets that results "on LibriSpeech-100" are of."""

MINI_LIBRISPEECH = ("train-clean-5", "dev-clean-2")
"""OpenSLR 31."""

_HINT = "give the folder that holds subsets such as train-clean-5, usually named LibriSpeech"


def load_librispeech(source: Path | None, out: Path, progress: Progress) -> Splits:
    """List the utterances of every subset in a LibriSpeech tree.

    Args:
        source: the folder with the subsets.
        out: unused, nothing is written.
        progress: unused.

    Returns:
        One split per subset folder, in the order of the names.

    Raises:
        CorpusError: there is no subset in source, or a transcript line is malformed.
    """
    source = require_folder(source, "librispeech", [], _HINT)
    splits: Splits = {}
    for subset in sorted(path for path in source.iterdir() if path.is_dir()):
        chapters = sorted({path.parent for path in subset.glob("*/*/*.trans.txt")})
        if chapters:
            splits[subset.name] = [candidate for chapter in chapters for candidate in _load_chapter(chapter)]
    if not splits:
        raise CorpusError(f"librispeech: looked for SUBSET/*/*/*.trans.txt in {source} and found none; {_HINT}")
    return splits


def load_librispeech_100(source: Path | None, out: Path, progress: Progress) -> Splits:
    """As `load_librispeech`, of the subsets of `LIBRISPEECH_100` alone."""
    return _select("librispeech_100", LIBRISPEECH_100, source, out, progress)


def load_mini_librispeech(source: Path | None, out: Path, progress: Progress) -> Splits:
    """As `load_librispeech`, of the subsets of `MINI_LIBRISPEECH` alone."""
    return _select("mini_librispeech", MINI_LIBRISPEECH, source, out, progress)


def _select(corpus: str, subsets: tuple[str, ...], source: Path | None, out: Path, progress: Progress) -> Splits:
    splits = load_librispeech(require_folder(source, corpus, subsets, _HINT), out, progress)
    return {subset: splits[subset] for subset in subsets if subset in splits}


def _load_chapter(chapter: Path) -> list[Candidate]:
    speaker = chapter.parent.name
    audio = index_audio(chapter)
    candidates = []
    for transcripts in sorted(chapter.glob("*.trans.txt")):
        for number, line in read_lines(transcripts):
            id_, _, text = line.partition(" ")
            if "-" not in id_:
                raise CorpusError(f"{transcripts}:{number}: expected `SPEAKER-CHAPTER-NUMBER TEXT`, found {line!r}")
            found = audio.pop(id_, None)
            fault = None if found else f"no audio file {chapter / id_}.flac (nor with another suffix)"
            candidates.append(Candidate(id_, found or chapter / id_, text, speaker, fault))
    faults = ((path, "no transcript for it in *.trans.txt beside it") for path in audio.values())
    return candidates + [Candidate(path.stem, path, "", speaker, fault) for path, fault in faults]
