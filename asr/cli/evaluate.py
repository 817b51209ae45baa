"""`asr evaluate`: how many words does a model get wrong?"""

from pathlib import Path
from typing import Annotated

import typer

from asr.cli.options import DECODING_TIMEOUT_S, Device, ModelFolder, Search
from asr.cli.progress import progress_bar


def evaluate(
    manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST", help="Test sets, from `asr prepare`.")],
    model: ModelFolder,
    out: Annotated[
        Path | None, typer.Option(help="Folder for results.json, hyp.trn, ref.trn and alignments, per manifest.")
    ] = None,
    search: Search = None,
    device: Device = "auto",
) -> None:
    """Score a model on test sets: word and character error rate over the whole set, with a 95 % interval.

    \b
    Examples:
      asr evaluate --model exp/an4/best data/an4/test.jsonl --out exp/an4/test
      asr evaluate --model exp/an4/best data/an4/dev.jsonl --search beam_size=20 --search ctc_weight=0.5
      torchrun --nproc-per-node 8 -m asr evaluate --model exp/an4/best data/an4/test.jsonl
    """
    if out is not None and len({manifest.stem for manifest in manifests}) < len(manifests):
        raise typer.BadParameter("two manifests of the same name would share a folder; give --out to one at a time")

    from asr.ranks.group import join_ranks
    from asr.recognizer.evaluate import evaluate as evaluate_on
    from asr.recognizer.recognizer import Recognizer

    with join_ranks(DECODING_TIMEOUT_S) as ranks:
        recognizer = Recognizer.load(model, device=device, search=search or ())
        for manifest in manifests:
            folder = out / manifest.stem if out is not None and len(manifests) > 1 else out
            with progress_bar(str(manifest), shown=ranks.is_first) as progress:
                evaluation = evaluate_on(recognizer, manifest, folder, ranks=ranks, progress=progress)
            if ranks.is_first:
                typer.echo(manifest)
                typer.echo(evaluation.report)
