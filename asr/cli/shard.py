"""`asr shard`: a corpus of many files becomes a few large tars."""

from pathlib import Path
from typing import Annotated

import typer

from asr.cli.errors import INTERRUPTED
from asr.cli.progress import progress_bar


def shard(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="What to pack, from `asr prepare`.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the tars and the manifest that points there.")],
    shard_mb: Annotated[float, typer.Option(min=0.01, help="A tar is closed once it is this large, in MB.")] = 512,
    max_rejected: Annotated[
        float, typer.Option(min=0, max=1, help="Largest share of unreadable utterances left out without failing.")
    ] = 0.01,
) -> None:
    """Pack the audio of a manifest into tars, for corpora of a hundred thousand files and more.

    OUT/train.jsonl is then a manifest like any other. The tars have WebDataset's layout: ID.flac, or the format of a
    file that is used whole, and ID.json. Segments become FLAC, without loss where the source has 16 bits or 24. The
    same command goes on where it was interrupted.

    \b
    Examples:
      asr shard data/librispeech/train.jsonl data/librispeech-shards
      asr shard data/librispeech/dev.jsonl data/librispeech-shards --shard-mb 100
    """
    from asr.corpora.shards import write_shards

    try:
        with progress_bar(str(manifest)) as progress:
            done = write_shards(manifest, out, shard_bytes=1e6 * shard_mb, max_rejected=max_rejected, progress=progress)
    except KeyboardInterrupt:
        typer.echo(f"asr: interrupted; the same command goes on from the finished tars in {out}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    typer.echo(f"{done.manifest}: {done.n_utterances} utterances in {done.n_shards} tars, {done.n_bytes / 1e6:.1f} MB")
    if done.rejected:
        typer.echo(f"{done.n_rejected} cannot be read and are left out, see {done.rejected}")
