"""`asr report`: what became of a run?"""

from pathlib import Path
from typing import Annotated

import typer


def report(
    experiments: Annotated[list[Path], typer.Argument(metavar="EXP...", help="Folders of experiments.")],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A page (.html), or the curves alone (.png). Default for one run: EXP/report.html"
        ),
    ] = None,
) -> None:
    """Draw the curves of runs, with alarms and pictures of attention; also while they are running.

    \b
    Examples:
      asr report exp/an4-las
      asr report exp/an4-las exp/an4-seed2 --out both.html
    """
    if out is None and len(experiments) > 1:
        raise typer.BadParameter("several runs have no folder in common; say where to write with --out FILE")

    from asr.recognizer.report import report as write

    typer.echo(write(experiments, out or experiments[0] / "report.html"))
