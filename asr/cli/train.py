"""`asr train`: a recipe becomes a model."""

import json
from pathlib import Path
from typing import Annotated

import typer

from asr.cli.errors import INTERRUPTED
from asr.cli.progress import progress_bar


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.yaml", help="The recipe to train.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="section.key=value", help="Changes to the recipe, values in YAML."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Experiment folder. Default: exp/<folder of the recipe>-<name of the recipe>")
    ] = None,
    init_from: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Start from EXP/best of another run: its training.init_from=DIR."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Take a few steps, tell size, memory and time, and keep nothing.")
    ] = False,
    deterministic: Annotated[
        bool,
        typer.Option("--deterministic", help="Only operations that give the same bits each time, where there are any."),
    ] = False,
) -> None:
    """Train a recipe; the same command again goes on where it was interrupted.

    The experiment folder ends up with EXP/best, a model that needs nothing else.

    \b
    Examples:
      asr train recipes/digits/las.yaml
      asr train recipes/an4/las.yaml --dry-run
      asr train recipes/an4/las.yaml training.seed=2 "data.dev=[a.jsonl, b.jsonl]" --out exp/an4-seed2
      asr train recipes/an4/las.yaml "data.train=[a.jsonl]" training.peak_lr=2e-4 --init-from exp/an4/best --out exp/a
      torchrun --nproc-per-node 8 -m asr train recipes/an4/las.yaml
    """
    from asr.recipe.load import load_recipe

    start = [f"training.init_from={json.dumps(str(init_from))}"] if init_from else []
    loaded = load_recipe(recipe, [*(overrides or ()), *start])
    folder = out or default_folder(recipe)

    if dry_run:
        from asr.recognizer.dry_run import dry_run as measure

        typer.echo(measure(loaded, folder).report)
        return

    from asr.ranks.group import join_ranks
    from asr.recognizer.train import train_recipe
    from asr.training.determinism import be_deterministic

    if deterministic:
        be_deterministic()
    try:
        with join_ranks(loaded.training.rank_timeout_s) as ranks:
            model = train_recipe(loaded, folder, ranks, progress_bar)
    except KeyboardInterrupt:
        typer.echo(f"asr: interrupted; the same command goes on from the last checkpoint in {folder}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if ranks.is_first:
        typer.echo(f"model: {model}")


def default_folder(recipe: Path) -> Path:
    """exp/digits-las for recipes/digits/las.yaml."""
    return Path("exp") / f"{recipe.resolve().parent.name}-{recipe.stem}"
