"""`asr record`: what is said into a microphone becomes text, utterance by utterance."""

from typing import Annotated

import typer

from asr.cli.options import Device, ModelOrDefault, Phrases, Search, with_phrases
from asr.cli.progress import clock


def record(
    model: ModelOrDefault = None,
    microphone: Annotated[
        str | None, typer.Option(metavar="NAME", help="Part of its name, or its number; else the system's own.")
    ] = None,
    max_segment: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=1.0, help="Longest utterance without pause; else as was trained."),
    ] = None,
    search: Search = None,
    phrases: Phrases = None,
    device: Device = "auto",
) -> None:
    """Transcribe a microphone until Ctrl-C: a line with its time after each utterance.

    \b
    Examples:
      asr record
      asr record --model exp/an4/best
    """
    from asr.audio import live
    from asr.recognizer.live import transcribe_live
    from asr.recognizer.recognizer import Recognizer

    recognizer = Recognizer.load(model, device=device, search=with_phrases(search, phrases))
    typer.echo("listening; Ctrl-C ends", err=True)
    for segment in transcribe_live(recognizer, live.microphone(microphone), longest_s=max_segment):
        typer.echo(f"{clock(segment.start_s)} {segment.text}")
