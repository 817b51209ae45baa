"""lhotse's manifests, and the corpora that lhotse (Żelasko et al., 2021) knows how to read.

As a form of one's own data, SOURCE holds `*recordings*.jsonl.gz` (or `.jsonl`) and, under the same name,
`*supervisions*`; what else the name says is the split. As `lhotse:NAME`, SOURCE is a corpus that lhotse's recipe
`prepare_NAME` takes, which needs the package: `pip install 'asr[lhotse]'`. Either way an utterance is a supervision.
"""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asr.corpora.candidate import Candidate, CorpusError, Splits
from asr.corpora.languages import language_code
from asr.corpora.layout import SPLIT_NAMES, require_folder
from asr.corpora.listing import Object, confined, read_objects

_HINT = "give a folder that holds NAME_recordings.jsonl.gz and NAME_supervisions.jsonl.gz"
_NAME = re.compile(r"(?P<before>.*?)[_-]?recordings[_-]?(?P<after>.*?)\.jsonl(\.gz)?")


def load_lhotse(source: Path, audio_root: Path | None, out: Path) -> Splits:
    """List the utterances of lhotse's manifests.

    Args:
        source: the folder that holds them.
        audio_root: folder that audio is relative to; None for the folder of the manifests.
        out: unused, nothing is written.

    Returns:
        Splits by the files' names, or one named "" where these say nothing.

    Raises:
        CorpusError: there are none.
    """
    source = require_folder(source, "lhotse", [], _HINT)
    splits: Splits = {}
    for path in sorted(source.iterdir()):
        match = _NAME.fullmatch(path.name)
        supervisions = path.with_name(path.name.replace("recordings", "supervisions"))
        if match is None or not supervisions.is_file():
            continue
        name = match["after"] or match["before"]
        split = SPLIT_NAMES.get(name, name)
        rows = _pair_up(read_objects(path), read_objects(supervisions), audio_root or source)
        splits.setdefault(split, []).extend(rows)
    if not splits:
        raise CorpusError(f"lhotse: looked for *recordings*.jsonl.gz and *supervisions* in {source}; {_HINT}")
    return splits


def load_recipe(name: str, source: Path | None) -> Splits:
    """List the utterances of a public corpus as lhotse's recipe finds them.

    Args:
        name: of the recipe, such as "yesno".
        source: the corpus as published.

    Returns:
        lhotse's splits, or one named "" where it makes none.

    Raises:
        CorpusError: lhotse is not installed, knows no such corpus, or cannot read it.
    """
    source = require_folder(source, f"lhotse:{name}", [], "give the folder with the corpus as lhotse's recipe wants it")
    try:
        from lhotse import recipes
    except ImportError as error:
        raise CorpusError(f"lhotse:{name}: takes the package lhotse: pip install 'asr[lhotse]' ({error})") from error
    known = sorted(each.removeprefix("prepare_") for each in dir(recipes) if each.startswith("prepare_"))
    if name not in known:
        raise CorpusError(f"lhotse:{name}: no such recipe; lhotse has {', '.join(known)}")
    prepare = getattr(recipes, f"prepare_{name}")
    with TemporaryDirectory() as folder:  # some recipes must write what they return
        parameter = inspect.signature(prepare).parameters.get("output_dir")
        must_write = parameter is not None and parameter.default is parameter.empty
        try:
            found = prepare(source.absolute(), **({"output_dir": folder} if must_write else {}))
        except Exception as error:
            raise CorpusError(
                f"lhotse:{name}: its recipe cannot read {source}: {type(error).__name__}: {error}"
            ) from error
        splits: Splits = {}
        for split, recordings, supervisions in _walk(found, ()):
            rows = _pair_up(_objects(name, recordings), _objects(name, supervisions), Path("/"))
            splits.setdefault(SPLIT_NAMES.get(split, split), []).extend(rows)
        return splits


def _walk(found: Any, names: tuple[str, ...]) -> Iterator[tuple[str, Iterable[Any], Iterable[Any]]]:
    """Goes down to where recordings and supervisions are: split, subset, language, whatever a recipe has above them."""
    if not isinstance(found, Mapping):
        return
    if "recordings" in found and "supervisions" in found:
        yield "-".join(names), found["recordings"], found["supervisions"]
        return
    for name, below in found.items():
        yield from _walk(below, (*names, str(name)))


def _objects(name: str, things: Iterable[Any]) -> Iterator[Object]:
    return (Object(f"lhotse:{name}", thing.to_dict()) for thing in things)


def _pair_up(recordings: Iterable[Object], supervisions: Iterable[Object], root: Path) -> list[Candidate]:
    known: dict[str, dict[str, Any]] = {}
    candidates = []
    for recording in recordings:
        if recording.fault:
            candidates.append(_broken(recording, recording.fault))
        else:
            known[str(recording.row.get("id"))] = recording.row
    for supervision in supervisions:
        try:
            if supervision.fault:
                raise ValueError(supervision.fault)
            candidates.append(_candidate(supervision, known, root))
        except ValueError as error:
            candidates.append(_broken(supervision, str(error)))
    return candidates


def _broken(thing: Object, fault: str) -> Candidate:
    listed = thing.listed
    id_ = thing.row.get("id")
    name = id_ if isinstance(id_, str) and id_ else "_".join(Path(listed).name.split())
    return Candidate(name, Path(listed.rpartition(":")[0]), "", "", fault, listed=listed)


def _candidate(supervision: Object, known: Mapping[str, dict[str, Any]], root: Path) -> Candidate:
    """Finds the audio of a supervision.

    Raises:
        ValueError: what is wrong.
    """
    row = supervision.row
    recording = known.get(str(row.get("recording_id")))
    if recording is None:
        raise ValueError(f"no recording: {row.get('recording_id')!r} is not in the list of recordings; add it")
    audio = confined(root, _file(recording))
    channels = recording.get("channel_ids") or [0]
    if row.get("channel", 0) not in (channels, *(channels if len(channels) == 1 else ())):
        raise ValueError(f"one channel of several: {row.get('channel')!r} of {channels}; write it to a file of its own")
    start_s, duration_s = row.get("start"), row.get("duration")
    for seconds in (start_s, duration_s):
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
            raise ValueError(f"not a segment: {seconds!r} among start and duration; expected seconds, 0 or more")
    texts = {key: row.get(key) for key in ("id", "text", "speaker", "language")}
    for key, value in texts.items():
        if not isinstance(value, str | None):
            raise ValueError(f"not a text: {key} is {str(value)[:60]!r}; expected a string")
    return Candidate(
        id=texts["id"] or "",
        audio=audio,
        text=texts["text"] or "",
        speaker=texts["speaker"] or "",
        start_s=float(start_s or 0.0),
        duration_s=float(duration_s or 0.0) or None,
        language=language_code(texts["language"]) if texts["language"] else None,
        listed=supervision.listed,
    )


def _file(recording: Mapping[str, Any]) -> str:
    sources = recording.get("sources")
    source = sources[0] if isinstance(sources, list) and len(sources) == 1 else None
    if not isinstance(source, dict) or not isinstance(source.get("source"), str):
        raise ValueError("no audio: expected a recording of one source; join its channels in one file")
    if source.get("type") == "command":
        raise ValueError("a command: the recording is a pipe, and none is run; decode it to a file, and name the file")
    if source.get("type") != "file" or recording.get("transforms"):
        raise ValueError("not a plain file: the recording is an address, in memory or to be changed; save it as a file")
    return str(source["source"])
