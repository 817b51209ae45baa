"""`asr calibrate`: what are a model's confidences worth?"""

from pathlib import Path
from typing import Annotated

import typer

from asr.cli.options import DECODING_TIMEOUT_S, Device, ModelFolder, Search
from asr.cli.progress import progress_bar


def calibrate(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="A development set: not trained on.")],
    model: ModelFolder,
    search: Search = None,
    device: Device = "auto",
) -> None:
    """Fit the confidences of words to a development set, and keep the fit in the model's folder.

    \b
    Examples:
      asr calibrate --model exp/an4/best data/an4/dev.jsonl
      asr evaluate --model exp/an4/best data/an4/test.jsonl      # tells the expected calibration error
    """
    from asr.ranks.group import join_ranks
    from asr.recognizer.calibrate import calibrate as fit
    from asr.recognizer.recognizer import Recognizer

    with join_ranks(DECODING_TIMEOUT_S) as ranks:
        recognizer = Recognizer.load(model, device=device, search=search or ())
        with progress_bar(str(manifest), shown=ranks.is_first) as progress:
            found = fit(recognizer, model, manifest, ranks, progress)
        if ranks.is_first:
            typer.echo(found.report)
