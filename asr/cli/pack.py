"""`asr pack`: a trained model, small enough to be given away."""

from pathlib import Path
from typing import Annotated

import typer

from asr.cli.options import ModelFolder, Search


def pack(
    model: ModelFolder,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write; a model folder there is replaced.")],
    search: Search = None,
) -> None:
    """Write a model folder with weights of 16 bits, half as large; changes to its search section stay in it.

    \b
    Examples:
      asr pack --model exp/an4/best --out an4-model
      asr pack --model exp/an4/best --search beam_size=5 --search ctc_weight=0.5 --out an4-model
    """
    from asr.recognizer.pack import pack_model

    n_bytes = pack_model(model, out, search or ())
    typer.echo(f"{out}: {n_bytes / 1e6:.1f} MB")
