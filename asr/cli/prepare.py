"""`asr prepare`: a corpus becomes validated manifests."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.errors import printable
from asr.cli.progress import progress_bar

if TYPE_CHECKING:
    from asr.corpora.prepare import Preparation

_N_SHOWN = 5  # faults that the terminal shows; all are in a file


def prepare(
    corpus: Annotated[
        str,
        typer.Argument(
            help="Your own data: folder (audio and .txt), table (CSV, TSV), nemo (JSON lines), kaldi, hf "
            "(metadata.csv, Parquet), lhotse. Public corpora: aishell, an4, common_voice, digits, fleurs, fsdd, "
            "fsdd_digits, librispeech (any tree of its layout), librispeech_100, ljspeech (any folder of its), "
            "mini_librispeech, mls, speech_commands, tedlium, vctk, voxpopuli, yesno; lhotse:NAME for any of "
            "lhotse's hundred (pip install 'asr[lhotse]'). A text: synthetic."
        ),
    ],
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="[SOURCE] OUT", help="The corpus as it is (none for digits), where manifests go."),
    ],
    max_rejected: Annotated[
        float, typer.Option(min=0, max=1, help="Largest share of broken utterances that is left out without failing.")
    ] = 0.01,
    language: Annotated[str, typer.Option(help="Code of the language, for rows that do not say theirs.")] = "en",
    split: Annotated[
        str | None,
        typer.Option(help="Where all of a corpus without splits goes, such as train; by default it is divided."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Prepare this split alone; repeatable.")] = None,
    audio_root: Annotated[
        Path | None,
        typer.Option(help="Folder that holds all audio a list names; relative paths start there [its list's folder]."),
    ] = None,
    hours: Annotated[
        float | None,
        typer.Option(min=0.001, max=10_000, help="How much of a text is spoken; for synthetic, which needs it."),
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="First fetch the corpus from its publisher and unpack it in SOURCE.")
    ] = False,
) -> None:
    """Make manifests of a corpus, one JSONL file per split, after decoding every file of it.

    Broken utterances are left out and listed in OUT/rejected.tsv, with the reason, the line and what to do. Your own
    data keeps its splits where folders, files or a column are named train, dev and test; else it is divided by speaker.

    \b
    Examples:
      asr prepare digits data/digits
      asr prepare folder ~/recordings data/mine --language de
      asr prepare table ~/recordings/list.csv data/mine
      asr prepare kaldi egs/mine/data data/mine --audio-root /
      asr prepare mini_librispeech ~/corpora data/mini --download
      asr prepare synthetic data/novels/train.txt data/synthetic --hours 10
      asr prepare librispeech ~/corpora/LibriSpeech data/librispeech --only train-clean-100 --only dev-clean
    """
    if len(folders) > 2:
        raise typer.BadParameter(f"expected [SOURCE] OUT, got {len(folders)} folders")
    from asr.corpora.prepare import prepare as prepare_corpus

    source = folders[0] if len(folders) == 2 else None
    if download:
        if source is None:
            raise typer.BadParameter("--download needs SOURCE, a folder to unpack the corpus in, before OUT")
        from asr.corpora.publishers import obtain

        source = obtain(corpus, source, only or (), progress_bar)
    with progress_bar(corpus) as progress:
        preparation = prepare_corpus(
            corpus,
            source,
            folders[-1],
            max_rejected=max_rejected,
            language=language,
            split=split,
            only=only or (),
            audio_root=audio_root,
            hours=hours,
            progress=progress,
        )
    _print_splits(preparation)


def _print_splits(preparation: "Preparation") -> None:
    """Prints a table with a row per split."""
    from rich.console import Console
    from rich.table import Table

    table = Table("split", "manifest")
    for header in ("utterances", "hours", "speakers", "rejected"):
        table.add_column(header, justify="right")
    for split in preparation.splits:
        hours, counts = f"{split.duration_s / 3600:.2f}", (split.n_speakers, split.n_rejected)
        table.add_row(split.split, str(split.manifest), str(split.n_utterances), hours, *map(str, counts))
    Console().print(table)
    if any(split.n_rejected for split in preparation.splits):
        for fault in preparation.faults[:_N_SHOWN]:
            print(printable(fault.in_words()))
        print(f"rejected utterances and their reasons: {preparation.rejected}")
    if preparation.divided:
        print(preparation.divided)
