"""`asr classify`: recordings are named."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from asr.cli.errors import DONE, SOME_FAILED, in_words, is_for_users
from asr.cli.options import Device, ModelFolder


def classify(
    audio: Annotated[list[Path], typer.Argument(metavar="AUDIO", help="Recordings, in any format, rate and channels.")],
    model: ModelFolder,
    format: Annotated[
        Literal["txt", "jsonl"],
        typer.Option(
            "--format", "-f", help="txt: label, probability, file; jsonl: with the probabilities of all labels."
        ),
    ] = "txt",
    device: Device = "auto",
) -> None:
    """Tell the label of each recording, with its probability, on a line each.

    A recording that cannot be read is told on stderr, the others go on, and the exit status is 1.

    \b
    Examples:
      asr classify --model exp/fsdd_digits/best seven.wav eight.wav
      asr classify --model exp/fsdd_digits/best --format jsonl *.wav
    """
    from asr.recognizer.classifier import Classifier
    from asr.recognizer.transcript import clean

    classifier = Classifier.load(model, device=device)
    status = DONE
    for path in audio:
        try:
            found = classifier.classify(path)
        except Exception as error:
            if not is_for_users(error):
                raise
            typer.echo(in_words(error), err=True)
            status = SOME_FAILED
            continue
        if format == "txt":
            typer.echo(f"{clean(found.label)}\t{found.probability:.3f}\t{clean(str(path))}")
        else:
            probabilities = {label: round(share, 6) for label, share in found.probabilities.items()}
            row = {"audio": clean(str(path)), "label": found.label, "probabilities": probabilities}
            typer.echo(json.dumps(row, ensure_ascii=False))
    raise typer.Exit(status)
