"""The command `asr`: its commands, and how errors become one line and an exit status."""

import typer

app = typer.Typer()


def main() -> None:
    """Runs the command line."""
    app()
