"""Prepare a corpus: from a folder as published to validated manifests, one per split."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from asr.corpora.aishell import load_aishell
from asr.corpora.an4 import load_an4
from asr.corpora.candidate import CorpusError, Progress, Splits
from asr.corpora.common_voice import load_common_voice
from asr.corpora.digits import load_digits
from asr.corpora.fleurs import load_fleurs
from asr.corpora.folder import load_folder
from asr.corpora.fsdd import load_fsdd
from asr.corpora.fsdd_digits import load_fsdd_digits
from asr.corpora.hugging_face import load_hf
from asr.corpora.kaldi import load_kaldi
from asr.corpora.lhotse import load_lhotse, load_recipe
from asr.corpora.librispeech import load_librispeech, load_librispeech_100, load_mini_librispeech
from asr.corpora.listing import split_name
from asr.corpora.ljspeech import load_ljspeech
from asr.corpora.manifest import open_manifest, parse_row, write_manifest
from asr.corpora.mls import load_mls
from asr.corpora.nemo import load_nemo
from asr.corpora.speech_commands import load_speech_commands
from asr.corpora.split import divide
from asr.corpora.synthetic import load_synthetic
from asr.corpora.table import load_table
from asr.corpora.tedlium import load_tedlium
from asr.corpora.utterances import Utterances
from asr.corpora.validate import Fault, Validated, validate, write_faults
from asr.corpora.vctk import load_vctk
from asr.corpora.voxpopuli import load_voxpopuli
from asr.corpora.yesno import load_yesno

Loader = Callable[[Path | None, Path, Progress], Splits]
"""Lists a corpus's candidates from (SOURCE, OUT, progress); may write audio below OUT/audio, calling progress."""

CORPORA: dict[str, Loader] = {
    "aishell": load_aishell,
    "an4": load_an4,
    "common_voice": load_common_voice,
    "digits": load_digits,
    "fleurs": load_fleurs,
    "fsdd": load_fsdd,
    "fsdd_digits": load_fsdd_digits,
    "librispeech": load_librispeech,
    "librispeech_100": load_librispeech_100,
    "ljspeech": load_ljspeech,
    "mini_librispeech": load_mini_librispeech,
    "mls": load_mls,
    "speech_commands": load_speech_commands,
    "tedlium": load_tedlium,
    "vctk": load_vctk,
    "voxpopuli": load_voxpopuli,
    "yesno": load_yesno,
}
"""Public corpora, by name."""

Layout = Callable[[Path, Path | None, Path], Splits]
"""Lists one's own corpus from (SOURCE, AUDIO_ROOT, OUT); a split named "" is still to be divided."""

LAYOUTS: dict[str, Layout] = {
    "folder": load_folder,
    "hf": load_hf,
    "kaldi": load_kaldi,
    "lhotse": load_lhotse,
    "nemo": load_nemo,
    "table": load_table,
}
"""Forms in which one's own corpus may come."""

SYNTHETIC = "synthetic"
"""What is made of a text, as many hours as are asked for."""

RECIPE = "lhotse:"
"""What the name of a corpus starts with that lhotse's recipe of that name lists."""

_N_SHOWN = 5  # faults in an error's message


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """What one manifest holds.

    Attributes:
        split: name of the split, e.g. "train".
        manifest: the JSONL file.
        n_utterances: rows in it.
        duration_s: their decoded seconds in all.
        n_speakers: different speakers among them.
        n_rejected: utterances of the split that were refused.
    """

    split: str
    manifest: Path
    n_utterances: int
    duration_s: float
    n_speakers: int
    n_rejected: int


@dataclass(frozen=True, slots=True)
class Preparation:
    """What preparing a corpus gave.

    Attributes:
        splits: one summary per split.
        rejected: the list of all faults; only a header line when there were none.
        faults: what that list holds.
        divided: how splits were made of a corpus that has none; empty where it has.
    """

    splits: tuple[SplitSummary, ...]
    rejected: Path
    faults: tuple[Fault, ...] = ()
    divided: str = ""


def prepare(
    corpus: str,
    source: Path | None,
    out: Path,
    *,
    max_rejected: float = 0.01,
    language: str = "en",
    split: str | None = None,
    only: Collection[str] = (),
    audio_root: Path | None = None,
    hours: float | None = None,
    progress: Progress | None = None,
) -> Preparation:
    """Write `out/{split}.jsonl` for every split of a corpus, and `out/rejected.tsv`.

    Every file is decoded. When too many utterances break, `rejected.tsv` is written and the manifests are not.

    Args:
        corpus: one of `CORPORA` or `LAYOUTS`, or lhotse:NAME, or `SYNTHETIC`.
        source: folder of the corpus as published; None for a corpus that brings its own audio.
        out: folder to write to; made if missing.
        max_rejected: largest share of utterances, from 0 to 1, that may be refused.
        language: code of the language, written into each row that has none of its own.
        split: the split that all of a corpus without splits goes to; None divides it.
        only: the splits to prepare; none for all.
        audio_root: for one's own corpus, the folder that paths of audio are relative to and must lie in; None for the
            folder of the list that names them.
        hours: for `SYNTHETIC`, how much to speak.
        progress: called with (done, total); total may grow once, when writing audio turns into checking it.

    Returns:
        Counts per split, in the order of the splits.

    Raises:
        CorpusError: unknown corpus, wrong layout, nothing usable in a split, more refused than `max_rejected`, or a
            manifest would replace a file that is none.
    """
    report = progress or _ignore
    n_written = 0

    def on_written(done: int, total: int) -> None:
        nonlocal n_written
        n_written = done
        report(done, 2 * total)

    if (hours is None) is (corpus == SYNTHETIC):
        what = "needs --hours" if hours is None else "has the hours it has, leave out --hours"
        raise CorpusError(f"{corpus}: {what}; {SYNTHETIC} alone is as long as is asked for")
    if hours is not None:
        listed = load_synthetic(source, out, on_written, hours)
    else:
        listed = _list_candidates(corpus, source, out, audio_root, on_written)
    splits, divided = _settle_splits(corpus, listed, split, only)
    for name in splits:
        _refuse_foreign(out / f"{name}.jsonl")
    out.mkdir(parents=True, exist_ok=True)  # only now, so that a wrong SOURCE leaves nothing behind
    total = n_written + sum(map(len, splits.values()))
    validated: dict[str, Validated] = {}
    n_done = n_written
    for name, candidates in splits.items():
        validated[name] = validate(candidates, language, partial(_report_from, report, n_done, total))
        n_done += len(candidates)
    faults = tuple(fault for each in validated.values() for fault in each.faults)
    rejected = out / "rejected.tsv"
    write_faults(rejected, faults)
    _refuse_broken(corpus, splits, validated, rejected, max_rejected)
    summaries = [_write_split(out, name, each, len(splits[name])) for name, each in validated.items()]
    return Preparation(tuple(summaries), rejected, faults, divided)


def _list_candidates(corpus: str, source: Path | None, out: Path, audio_root: Path | None, report: Progress) -> Splits:
    if corpus in LAYOUTS:
        if source is None:
            raise CorpusError(f"{corpus}: needs SOURCE, the folder or file with the corpus")
        return LAYOUTS[corpus](source, audio_root, out)
    if corpus.startswith(RECIPE):
        return load_recipe(corpus.removeprefix(RECIPE), source)
    if corpus not in CORPORA:
        raise CorpusError(
            f"unknown corpus {corpus!r}; expected one of {', '.join(sorted(CORPORA))}, or for your own data one of "
            f"{', '.join(sorted(LAYOUTS))}, or {RECIPE}NAME for a recipe of lhotse's, or {SYNTHETIC}"
        )
    if audio_root is not None:
        raise CorpusError(f"{corpus}: takes no --audio-root, its layout says where audio lies")
    return CORPORA[corpus](source, out, report)


def _settle_splits(corpus: str, splits: Splits, split: str | None, only: Collection[str]) -> tuple[Splits, str]:
    """Gives every utterance its split, and leaves out those that are not asked for."""
    divided = ""
    own = {name: rows for name, rows in splits.items() if name}
    if own and all(
        row.fault for row in splits.get("", [])
    ):  # a broken row cannot say its split; it is told all the same
        first = next(iter(own))
        splits = own | {first: own[first] + splits.get("", [])}
    if split is not None and set(splits) != {""}:
        raise CorpusError(f"{corpus}: has splits {', '.join(filter(None, splits))} of its own; leave out --split")
    if "" in splits:
        new, divided = ({split: splits[""]}, "") if split is not None else divide(splits[""])
        splits = {name: own.get(name, []) + new.get(name, []) for name in dict.fromkeys([*new, *own])}
    for name in [*splits, *only]:
        try:
            split_name(name)
        except ValueError as error:
            raise CorpusError(f"{corpus}: {error}") from error
    unknown = [name for name in only if name not in splits]
    if unknown:
        raise CorpusError(f"{corpus}: has no split {', '.join(unknown)}; it has {', '.join(splits)}")
    return {name: rows for name, rows in splits.items() if not only or name in only}, divided


def _refuse_foreign(manifest: Path) -> None:
    """Refuses to replace a file that `asr` did not write: it may be the very list that is being read."""
    if not manifest.exists():
        return
    with open_manifest(manifest) as file:
        first = file.readline(1 << 20)
    try:
        parse_row(first, manifest.parent, "id")
    except (ValueError, OverflowError) as error:
        raise CorpusError(f"{manifest}: is there already and no manifest of ours; name another folder") from error


def _ignore(done: int, total: int) -> None:
    """Report progress to nobody."""


def _report_from(report: Progress, before: int, total: int, done: int, _: int) -> None:
    report(before + done, total)


def _refuse_broken(
    corpus: str,
    splits: Splits,
    validated: dict[str, Validated],
    rejected: Path,
    max_rejected: float,
) -> None:
    total = sum(map(len, splits.values()))
    n_rejected = total - sum(len(each.utterances) for each in validated.values())
    faults = [fault for each in validated.values() for fault in each.faults]
    shown = "".join(f"\n{fault.in_words()}" for fault in faults[:_N_SHOWN])
    if n_rejected > max_rejected * total:
        raise CorpusError(
            f"{corpus}: {n_rejected} of {total} utterances are broken ({n_rejected / total:.1%}, at most "
            f"{max_rejected:.1%} may be); no manifest was written. Read {rejected}, mend the corpus or allow more with "
            f"--max-rejected{shown}"
        )
    for split, each in validated.items():
        if not each.utterances:
            raise CorpusError(
                f"{corpus}: split {split} has no usable utterance; no manifest was written. See {rejected}{shown}"
            )


def _write_split(out: Path, split: str, validated: Validated, n_candidates: int) -> SplitSummary:
    manifest, rows = out / f"{split}.jsonl", validated.utterances
    write_manifest(manifest, rows, validated.further)
    Utterances([manifest])  # leaves the index that a large manifest is opened with
    duration_s = sum(row.duration_s for row in rows)
    n_speakers = len({row.speaker for row in rows})
    return SplitSummary(split, manifest, len(rows), duration_s, n_speakers, n_candidates - len(rows))
