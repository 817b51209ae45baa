"""`asr export`: a manifest for another toolkit."""

from pathlib import Path
from typing import Annotated

import typer

from asr.cli.progress import progress_bar


def export(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="What to write, from `asr prepare`.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder; several manifests may go to one.")],
    to: Annotated[str, typer.Option(help="kaldi, nemo or lhotse.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
) -> None:
    """Write a manifest as a Kaldi folder (OUT/train), NeMo's JSON lines (OUT/train.json) or lhotse's pair of files.

    Audio is named in place, by its absolute path; nothing is copied. To read it back:
    `asr prepare kaldi|nemo|lhotse OUT … --audio-root /`.

    \b
    Examples:
      asr export data/an4/train.jsonl kaldi/data --to kaldi
      asr export data/an4/train.jsonl nemo --to nemo
    """
    from asr.corpora.export import export_manifest

    with progress_bar(str(manifest)) as progress:
        for path in export_manifest(manifest, to, out, overwrite=overwrite, progress=progress):
            typer.echo(path)
