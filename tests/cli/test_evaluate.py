import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from asr.recognizer import inspect as inspect_module
from asr.recognizer import trained as trained_module
from asr.recognizer.evaluate import Showing
from asr.recognizer.pictures.maps import View
from asr.recognizer.sight import SightError


@pytest.fixture(autouse=True)
def calls(monkeypatch):
    made = []

    def evaluate(trained, manifest, out, ranks, progress, showing):
        progress(1, 2)
        made.append((trained, manifest, out, showing))
        return SimpleNamespace(report="%WER 3.09 [ 1622 / 52576, 167 ins, 171 del, 1284 sub ]")

    def inspect(recognizer, audio, out, *, text, view):
        made.append((recognizer, audio, out, text, view))

    def load(folder, *, device, search=()):
        return (folder, device, tuple(search))

    monkeypatch.setattr(trained_module, "evaluate_trained", evaluate)
    monkeypatch.setattr(inspect_module, "inspect", inspect)
    monkeypatch.setattr(trained_module, "load_trained", load)
    return made


def test_stdout_holds_the_report_alone(asr, calls, tmp_path):
    outcome = asr("evaluate", "--model", "m", "test.jsonl", "--out", tmp_path, "--search", "beam_size=4")
    assert outcome.status == 0
    assert outcome.out == "test.jsonl\n%WER 3.09 [ 1622 / 52576, 167 ins, 171 del, 1284 sub ]\n"
    assert calls == [((Path("m"), "auto", ("beam_size=4",)), Path("test.jsonl"), tmp_path, Showing())]


def test_what_the_page_shows_can_be_chosen(asr, calls, tmp_path):
    asr("evaluate", "--model", "m", "a.jsonl", "--out", tmp_path, "--pictures", 3, "--embed-audio", 2.5)
    assert calls[0][-1] == Showing(n_pictures=3, embed_mb=2.5)


def test_several_test_sets_have_a_folder_each(asr, calls, tmp_path):
    assert asr("evaluate", "--model", "m", "a.jsonl", "b.jsonl", "--out", tmp_path).status == 0
    assert [call[2] for call in calls] == [tmp_path / "a", tmp_path / "b"]


def test_two_test_sets_of_one_name_are_usage(asr, calls, tmp_path):
    outcome = asr("evaluate", "--model", "m", "x/test.jsonl", "y/test.jsonl", "--out", tmp_path)
    assert outcome.status == 2
    assert not calls


def test_a_picture_is_drawn(asr, calls):
    outcome = asr("inspect", "--model", "m", "a.wav", "--text", "three", "--out", "a.png")
    assert (outcome.status, outcome.out) == (0, "a.png\n")
    assert calls == [((Path("m"), "auto", ()), Path("a.wav"), Path("a.png"), "three", View())]


def test_any_layer_and_head_can_be_seen(asr, calls):
    assert asr("inspect", "--model", "m", "a.wav", "-o", "a.svg", "--layer", 3, "--head", 2).status == 0
    assert asr("inspect", "--model", "m", "a.wav", "-o", "a.svg", "--listener", "--rollout").status == 0
    assert [call[-1] for call in calls] == [View(layer=3, head=2), View(of_listener=True, rollout=True)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "a.gif"], r"--out a\.gif: the suffix is '\.gif', expected one of \.png, \.svg, \.pdf, \.npz"),
        (["--out", "a.png", "--layer", "0"], "--layer"),
        (["--out", "a.png", "--rollout", "--head", "1"], "--rollout goes through all layers and heads"),
    ],
)
def test_a_picture_that_cannot_be_is_usage(asr, calls, words, message):
    outcome = asr("inspect", "--model", "m", "a.wav", *words)
    assert outcome.status == 2 and re.search(message, outcome.err) and not calls


def test_a_head_that_is_not_there_is_usage(asr, monkeypatch):
    def inspect(*args, **options):
        raise SightError("head 9: layer 2 has heads 1 to 4")

    monkeypatch.setattr(inspect_module, "inspect", inspect)
    outcome = asr("inspect", "--model", "m", "a.wav", "--out", "a.png", "--head", 9)
    assert (outcome.status, outcome.err) == (2, "asr: head 9: layer 2 has heads 1 to 4\n")


@pytest.mark.parametrize(
    "words", [["evaluate"], ["evaluate", "--model", "m"], ["inspect", "a.wav"], ["inspect", "--model", "m"]]
)
def test_what_is_missing_is_usage(asr, calls, words):
    assert asr(*words).status == 2


def test_a_model_that_is_not_there_is_one_line(asr, monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setattr("sys.argv", ["asr"])
    outcome = asr("inspect", "--model", tmp_path / "no", "a.wav", "--out", "a.png")
    assert outcome.status == 1
    assert len(outcome.err.splitlines()) == 1
    assert str(tmp_path / "no") in outcome.err


def test_no_model_named_is_none_passed_on(asr, calls):
    assert asr("inspect", "a.wav", "--out", "a.png").status == 0
    assert asr("evaluate", "a.jsonl").status == 0
    assert [call[0][0] for call in calls] == [None, None]
