import subprocess
import sys

import pytest

from asr.cli.errors import in_words
from asr.cli.main import app

COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_an_example(asr, command):
    outcome = asr(command, "--help")
    assert outcome.status == 0
    assert f"asr {command}" in outcome.out.split("Example", 1)[1]


def test_help_loads_nothing_heavy():
    code = "import sys, asr.cli.main; print([m for m in ('torch', 'numpy', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("words", [["nonsense"], ["train"], ["doctor", "--nonsense"], ["train", "no.yaml"]])
def test_wrong_usage_is_status_2(asr, words):
    outcome = asr(*words)
    assert outcome.status == 2
    assert "Traceback" not in outcome.err
    assert outcome.err


def test_an_error_of_ours_is_one_line(asr, tmp_path):
    outcome = asr("prepare", "klingon", tmp_path)
    assert outcome.status == 1
    assert outcome.err.startswith("asr: unknown corpus 'klingon'; expected one of ")
    assert len(outcome.err.splitlines()) == 1


def test_debugging_shows_the_traceback(monkeypatch, tmp_path):
    from asr.cli.main import main

    monkeypatch.setenv("ASR_DEBUG", "1")
    monkeypatch.setattr("sys.argv", ["asr", "prepare", "klingon", str(tmp_path)])
    with pytest.raises(ValueError, match="klingon"):
        main()


def test_an_error_cannot_steer_the_terminal():
    assert in_words(FileNotFoundError(2, "No such file", "a\x1b[2J.wav")) == "asr: a\\x1b[2J.wav: No such file"
    assert in_words(ValueError("one\ntwo")) == "asr: one\nasr: two"
