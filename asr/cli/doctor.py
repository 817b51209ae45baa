"""`asr doctor`: is this machine fit to train and transcribe?"""

import typer

from asr.cli.errors import SOME_FAILED


def doctor() -> None:
    """Look at versions, devices, audio formats and disk; one line each, with advice where something is amiss.

    \b
    Example:
      asr doctor
    """
    from asr.cli.checks import run_checks

    checks = run_checks()
    width = max(len(check.name) for check in checks)
    for check in checks:
        typer.echo(f"{'ok ' if check.fine else 'BAD'} {check.name:<{width}}  {check.found}")
        if check.advice:
            typer.echo(f"    {'':<{width}}  -> {check.advice}")
    if not all(check.fine for check in checks):
        raise typer.Exit(SOME_FAILED)
