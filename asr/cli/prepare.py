"""`asr prepare`: a corpus becomes validated manifests."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.progress import progress_bar

if TYPE_CHECKING:
    from asr.corpora.prepare import Preparation


def prepare(
    corpus: Annotated[
        str,
        typer.Argument(
            help="an4, digits, fsdd, fsdd_digits, librispeech (any tree of its layout) or ljspeech (any folder of its)."
        ),
    ],
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="[SOURCE] OUT", help="The corpus as published (none for digits), where manifests go."),
    ],
    max_rejected: Annotated[
        float, typer.Option(min=0, max=1, help="Largest share of broken utterances that is left out without failing.")
    ] = 0.01,
    language: Annotated[str, typer.Option(help="Code of the language, written into every row.")] = "en",
) -> None:
    """Make manifests of a corpus, one JSONL file per split, after decoding every file of it.

    Broken utterances are left out and listed with their reasons in OUT/rejected.tsv.

    \b
    Examples:
      asr prepare digits data/digits
      asr prepare an4 ~/corpora/an4 data/an4
      asr prepare librispeech ~/corpora/LibriSpeech data/librispeech --max-rejected 0.05
    """
    if len(folders) > 2:
        raise typer.BadParameter(f"expected [SOURCE] OUT, got {len(folders)} folders")
    from asr.corpora.prepare import prepare as prepare_corpus

    with progress_bar(corpus) as progress:
        preparation = prepare_corpus(
            corpus,
            folders[0] if len(folders) == 2 else None,
            folders[-1],
            max_rejected=max_rejected,
            language=language,
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
        print(f"rejected utterances and their reasons: {preparation.rejected}")
