"""The command `asr`: its commands, and the way errors leave it."""

import sys

import typer

from asr.cli.calibrate import calibrate
from asr.cli.classify import classify
from asr.cli.compare import compare
from asr.cli.doctor import doctor
from asr.cli.errors import exit_status, in_words, is_for_users
from asr.cli.evaluate import evaluate
from asr.cli.export import export
from asr.cli.inspect import inspect
from asr.cli.lm import lm
from asr.cli.pack import pack
from asr.cli.prepare import prepare
from asr.cli.record import record
from asr.cli.report import report
from asr.cli.score import score
from asr.cli.shard import shard
from asr.cli.signals import take_signals_aside
from asr.cli.stats import stats
from asr.cli.train import train
from asr.cli.transcribe import transcribe

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _asr() -> None:
    """Train, run and score speech recognisers.

    \b
    Example, from nothing to a scored model:
      asr prepare digits data/digits
      asr train recipes/digits/las.yaml --out exp/digits
      asr transcribe --model exp/digits/best recording.flac
      asr evaluate --model exp/digits/best data/digits/test.jsonl

    Exit status: 0 done, 1 some inputs failed, 2 usage or recipe, 130 interrupted. ASR_DEBUG=1 in the environment shows
    the traceback of every error.
    """


for _command in (
    prepare,
    stats,
    export,
    shard,
    lm,
    train,
    transcribe,
    record,
    classify,
    evaluate,
    calibrate,
    score,
    compare,
    inspect,
    report,
    pack,
    doctor,
):
    app.command()(_command)


def main() -> None:
    """Runs the command line and leaves with its exit status."""
    take_signals_aside()
    try:
        app()
    except Exception as error:
        if not is_for_users(error):
            raise
        print(in_words(error), file=sys.stderr)
        sys.exit(exit_status(error))
