"""`asr lm`: text becomes an n-gram model."""

from pathlib import Path
from typing import Annotated

import typer

from asr.cli.progress import progress_bar


def lm(
    texts: Annotated[list[Path], typer.Argument(metavar="TEXT...", help="One sentence a line; .gz and .xz, too.")],
    tokenizer: Annotated[
        Path, typer.Option(metavar="DIR", help="The recogniser that is to use it, EXP/best: n-grams of its tokens.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The model, .arpa or .arpa.gz.")],
    order: Annotated[int, typer.Option(min=1, help="Length of the longest n-grams, in tokens.")] = 5,
    prune_from: Annotated[
        int | None,
        typer.Option(min=2, help="Leave out n-grams of this length and longer that occur once. Default: none."),
    ] = None,
    dev: Annotated[Path | None, typer.Option(metavar="TEXT", help="Tell the perplexity of this text, too.")] = None,
) -> None:
    """Estimate an n-gram model (modified Kneser-Ney) of a recogniser's tokens, as an ARPA file.

    \b
    Examples:
      asr lm train.txt --dev dev.txt --tokenizer exp/mini/best --order 6 --prune-from 4 --out exp/mini/6.arpa.gz
      asr evaluate --model exp/mini/best data/mini/dev.jsonl --search ngram=exp/mini/6.arpa.gz --search ngram_weight=0.3
    """
    from asr.recognizer.estimate_ngram import estimate_ngram

    with progress_bar("reading texts") as progress:
        numbers, found = estimate_ngram(texts, tokenizer, order, out, prune_from, dev, progress)
    typer.echo(f"{out}: {', '.join(f'{number} {n}-grams' for n, number in enumerate(numbers, 1))}")
    if found:
        typer.echo(f"{dev}: {found.report}")
