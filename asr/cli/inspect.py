"""`asr inspect`: where did the model listen?"""

from pathlib import Path
from typing import Annotated

import typer

from asr.cli.options import Device, ModelFolder


def inspect(
    audio: Annotated[Path, typer.Argument(metavar="AUDIO", help="One recording.")],
    model: ModelFolder,
    out: Annotated[Path, typer.Option(metavar="PNG", help="The picture to write.")],
    text: Annotated[str | None, typer.Option(help="The words to align. Default: what the model hears.")] = None,
    device: Device = "auto",
) -> None:
    """Draw the log-mel features and the attention over time, with the words.

    \b
    Example:
      asr inspect --model exp/digits/best recording.flac --text "three one four" --out attention.png
    """
    from asr.recognizer.inspect import inspect as draw
    from asr.recognizer.recognizer import Recognizer

    draw(Recognizer.load(model, device=device), audio, out, text=text)
    typer.echo(out)
