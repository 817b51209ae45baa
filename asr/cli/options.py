"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

ModelFolder = Annotated[Path, typer.Option("--model", metavar="DIR", help="A trained model: EXP/best.")]
BeamSize = Annotated[
    int | None,
    typer.Option("--beam-size", "--beam_size", min=1, max=1000, help="Hypotheses kept. Default: as in the recipe."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N; auto takes a GPU where there is one.")]
