"""`asr compare`: is one recogniser better than another?"""

from pathlib import Path
from typing import Annotated

import typer

from asr.cli.score import Normalize


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A folder of `asr evaluate --out`, or a file of hypotheses.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The other, on the same utterances.")],
    ref: Annotated[Path | None, typer.Option(metavar="FILE", help="True texts, for files of hypotheses.")] = None,
    normalize: Normalize = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="All of it, every change included, as JSON.")] = None,
    list_: Annotated[int, typer.Option("--list", min=0, help="Utterances to print of each kind of change.")] = 10,
) -> None:
    """Compare two recognisers on the same utterances: difference of the word error rates, interval, p, what changed.

    p by paired bootstrap over utterances (Bisani and Ney 2004) and by the matched-pairs sentence-segment test (Gillick
    and Cox 1989, as NIST's MAPSSWE).

    \b
    Examples:
      asr compare exp/old/test exp/new/test
      asr compare --ref ref.trn old.trn new.trn --normalize basic --out changed.json
    """
    from asr.scoring.compare import compare_files, comparison_lines, write_comparison
    from asr.scoring.normalizers import normalizer
    from asr.scoring.printable import printable

    found = compare_files(a, b, ref, normalizer(normalize or ()))
    if out is not None:
        write_comparison(out, found)
    for line in comparison_lines(found, list_):
        typer.echo(printable(line))
