"""Runs the command line in this process, exactly as the script `asr` does."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from asr.cli.main import main


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


@pytest.fixture
def asr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def run(*words: object) -> Outcome:
        monkeypatch.setattr("sys.argv", ["asr", *map(str, words)])
        with pytest.raises(SystemExit) as leave:
            main()
        captured = capsys.readouterr()
        return Outcome(int(leave.value.code or 0), captured.out, captured.err)

    return run
