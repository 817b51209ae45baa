from pathlib import Path
from types import SimpleNamespace

import pytest

from asr.recognizer import evaluate as evaluate_module
from asr.recognizer import inspect as inspect_module
from asr.recognizer.recognizer import Recognizer


@pytest.fixture(autouse=True)
def calls(monkeypatch):
    made = []

    def evaluate(recognizer, manifest, out=None, *, ranks, progress):
        progress(1, 2)
        made.append((recognizer, manifest, out))
        return SimpleNamespace(report="%WER 3.09 [ 1622 / 52576, 167 ins, 171 del, 1284 sub ]")

    def inspect(recognizer, audio, out, *, text):
        made.append((recognizer, audio, out, text))

    def load(folder, *, device, search=()):
        return (folder, device, tuple(search))

    monkeypatch.setattr(evaluate_module, "evaluate", evaluate)
    monkeypatch.setattr(inspect_module, "inspect", inspect)
    monkeypatch.setattr(Recognizer, "load", load)
    return made


def test_stdout_holds_the_report_alone(asr, calls, tmp_path):
    outcome = asr("evaluate", "--model", "m", "test.jsonl", "--out", tmp_path, "--search", "beam_size=4")
    assert outcome.status == 0
    assert outcome.out == "test.jsonl\n%WER 3.09 [ 1622 / 52576, 167 ins, 171 del, 1284 sub ]\n"
    assert calls == [((Path("m"), "auto", ("beam_size=4",)), Path("test.jsonl"), tmp_path)]


def test_several_test_sets_have_a_folder_each(asr, calls, tmp_path):
    assert asr("evaluate", "--model", "m", "a.jsonl", "b.jsonl", "--out", tmp_path).status == 0
    assert [out for _, _, out in calls] == [tmp_path / "a", tmp_path / "b"]


def test_two_test_sets_of_one_name_are_usage(asr, calls, tmp_path):
    outcome = asr("evaluate", "--model", "m", "x/test.jsonl", "y/test.jsonl", "--out", tmp_path)
    assert outcome.status == 2
    assert not calls


def test_a_picture_is_drawn(asr, calls):
    outcome = asr("inspect", "--model", "m", "a.wav", "--text", "three", "--out", "a.png")
    assert (outcome.status, outcome.out) == (0, "a.png\n")
    assert calls == [((Path("m"), "auto", ()), Path("a.wav"), Path("a.png"), "three")]


@pytest.mark.parametrize("words", [["evaluate", "a.jsonl"], ["evaluate", "--model", "m"], ["inspect", "--model", "m"]])
def test_what_is_missing_is_usage(asr, calls, words):
    assert asr(*words).status == 2


def test_a_model_that_is_not_there_is_one_line(asr, monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setattr("sys.argv", ["asr"])
    outcome = asr("inspect", "--model", tmp_path / "no", "a.wav", "--out", "a.png")
    assert outcome.status == 1
    assert len(outcome.err.splitlines()) == 1
    assert str(tmp_path / "no") in outcome.err
