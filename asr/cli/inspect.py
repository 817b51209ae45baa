"""`asr inspect`: where did the model listen?"""

from pathlib import Path
from typing import Annotated

import typer

from asr.cli.options import Device, ModelOrDefault

SUFFIXES = (".png", ".svg", ".pdf", ".npz")


def inspect(
    audio: Annotated[Path, typer.Argument(metavar="AUDIO", help="One recording.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="A picture, .png, .svg or .pdf; or the numbers, .npz.")
    ],
    model: ModelOrDefault = None,
    text: Annotated[str | None, typer.Option(help="The words to align. Default: what the model hears.")] = None,
    layer: Annotated[int | None, typer.Option(min=1, help="Of the attention, from 1. Default: any.")] = None,
    head: Annotated[int | None, typer.Option(min=1, help="Of each layer, from 1. Default: any.")] = None,
    listener: Annotated[
        bool, typer.Option("--listener", help="The listener's self-attention instead of the speller's attention.")
    ] = False,
    rollout: Annotated[
        bool,
        typer.Option(
            "--rollout",
            help="One map through all layers (attention rollout): where in the audio what a token, or with --listener "
            "a state of the listener, knows came from.",
        ),
    ] = False,
    device: Device = "auto",
) -> None:
    """Draw log-mel, words or label, CTC posteriors and attention on one axis of time.

    Of more than four heads those four are drawn that follow the speech best, unless --layer or --head says which.

    \b
    Examples:
      asr inspect recording.flac --out attention.png
      asr inspect --model exp/digits/best recording.flac --text "three one four" --out attention.svg
      asr inspect --model exp/an4/best recording.flac --layer 4 --head 2 --out layer-4-head-2.png
      asr inspect --model exp/an4/best recording.flac --listener --layer 12 --out listener.png
      asr inspect --model exp/an4/best recording.flac --rollout --out rollout.png
      asr inspect --model exp/an4/best recording.flac --out attention.npz

    \b
    The numbers, in Python:
      seen = numpy.load("attention.npz")
      seen["attention"]      (heads, tokens and end, states), named by seen["heads"] and seen["pieces"]
      seen["posteriors"]     (states, vocabulary) of CTC, named by seen["vocabulary"]
      seen["features"]       (frames, mel bands)
      seen["states_s"]       where the first state begins and the last ends, in seconds; frames_s of the frames
      seen["maps"]           what would be drawn, named by seen["titles"]
    """
    if out.suffix.lower() not in SUFFIXES:
        raise typer.BadParameter(f"--out {out}: the suffix is {out.suffix!r}, expected one of {', '.join(SUFFIXES)}")
    if rollout and (layer or head):
        raise typer.BadParameter("--rollout goes through all layers and heads: leave out --layer and --head")
    from asr.recognizer.inspect import inspect as draw
    from asr.recognizer.pictures.maps import View
    from asr.recognizer.trained import load_trained

    view = View(layer, head, listener, rollout)
    draw(load_trained(model, device=device), audio, out, text=text, view=view)
    typer.echo(out)
