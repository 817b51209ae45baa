"""`asr evaluate`: how good is a model?"""

from pathlib import Path
from typing import Annotated

import typer

from asr.cli.options import DECODING_TIMEOUT_S, Device, EmbedAudio, ModelOrDefault, Phrases, Search, with_phrases
from asr.cli.progress import progress_bar


def evaluate(
    manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST", help="Test sets, from `asr prepare`.")],
    model: ModelOrDefault = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder per manifest: report.html, results.json, RESULTS.md, wer.txt, hyp.trn, ref.trn; or labels.tsv."
        ),
    ] = None,
    search: Search = None,
    phrases: Phrases = None,
    pictures: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Show log-mel and attention of the N worst utterances in report.html."),
    ] = 10,
    embed_audio: EmbedAudio = 0.0,
    device: Device = "auto",
) -> None:
    """Score a model on test sets, with 95 % intervals: word and character error rate, BLEU, or accuracy, by its task.

    \b
    Examples:
      asr evaluate --model exp/an4/best data/an4/test.jsonl --out exp/an4/test
      asr evaluate --model exp/an4/best data/an4/dev.jsonl --search beam_size=20 --search ctc_weight=0.5
      torchrun --nproc-per-node 8 -m asr evaluate --model exp/an4/best data/an4/test.jsonl
    """
    if out is not None and len({manifest.stem for manifest in manifests}) < len(manifests):
        raise typer.BadParameter("two manifests of the same name would share a folder; give --out to one at a time")

    from asr.ranks.group import join_ranks
    from asr.recognizer.default_model import default_model_folder
    from asr.recognizer.evaluate import Evaluation, Showing
    from asr.recognizer.trained import evaluate_trained, load_trained
    from asr.scoring.results_table import check_results_table, write_results_table
    from asr.training.memory import keep_memory

    keep_memory()
    with join_ranks(DECODING_TIMEOUT_S) as ranks:
        trained = load_trained(model, device=device, search=with_phrases(search, phrases))
        table = out / "RESULTS.md" if out is not None and len(manifests) > 1 else None
        if table:
            check_results_table(table)
        scores = {}
        for manifest in manifests:
            folder = out / manifest.stem if out is not None and len(manifests) > 1 else out
            with progress_bar(str(manifest), shown=ranks.is_first) as progress:
                showing = Showing(pictures, embed_audio)
                evaluation = evaluate_trained(trained, manifest, folder, ranks, progress, showing)
            if ranks.is_first:
                typer.echo(manifest)
                typer.echo(evaluation.report)
            if isinstance(evaluation, Evaluation):
                scores[manifest.stem] = evaluation.score
        if table and scores and ranks.is_first:
            write_results_table(table, scores, {"model": str(model or default_model_folder())})
