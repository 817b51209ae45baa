"""Options that several commands share."""

import json
from pathlib import Path
from typing import Annotated

import typer

ModelFolder = Annotated[Path, typer.Option("--model", metavar="DIR", help="A trained model: EXP/best.")]
ModelOrDefault = Annotated[
    Path | None,
    typer.Option("--model", metavar="DIR", help="A trained model: EXP/best. Default: the English one of the package."),
]
Search = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="A change to the recipe's search section, such as beam_size=5; repeatable."),
]
Phrases = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Phrases to favour, one a line, weight behind a tab: --search phrases=FILE."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N; auto takes a GPU where there is one.")]
EmbedAudio = Annotated[
    float, typer.Option(metavar="MB", min=0, help="Put so much audio into report.html, the worst first; else links.")
]

DECODING_TIMEOUT_S = 600.0  # with several processes: no batch takes longer to decode


def with_phrases(search: list[str] | None, phrases: Path | None) -> list[str]:
    """The changes to the search section, the list of phrases among them."""
    return [*(search or ()), *([f"phrases={json.dumps(str(phrases))}"] if phrases else ())]
