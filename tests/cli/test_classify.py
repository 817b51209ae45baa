import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from asr.audio.read import AudioError
from asr.recognizer.classifier import Classification
from asr.recognizer.task_error import TaskError


class FakeClassifier:
    @classmethod
    def load(cls, folder, *, device):
        if folder == Path("las"):
            raise TaskError(f"{folder}: this model was trained to transcribe; use `asr transcribe`")
        return cls()

    def classify(self, audio):
        if audio.name.startswith("bad"):
            raise AudioError(f"{audio}: no audio in it")
        return Classification("sieben\x1b[31m", 0.75, {"sieben\x1b[31m": 0.75, "fünf": 0.25})


@pytest.fixture(autouse=True)
def classifier(monkeypatch):
    module = ModuleType("asr.recognizer.classifier")
    module.Classifier = FakeClassifier
    monkeypatch.setitem(sys.modules, module.__name__, module)


def test_a_line_each_and_a_bad_file_does_not_stop_the_others(asr):
    outcome = asr("classify", "--model", "m", "a.wav", "bad.wav", "c.wav")
    assert outcome.out == "sieben\t0.750\ta.wav\nsieben\t0.750\tc.wav\n"
    assert outcome.err == "asr: bad.wav: no audio in it\n"
    assert outcome.status == 1


def test_all_probabilities_as_json(asr):
    outcome = asr("classify", "--model", "m", "-f", "jsonl", "a.wav")
    assert outcome.status == 0
    row = json.loads(outcome.out)
    assert (row["audio"], list(row["probabilities"].values())) == ("a.wav", [0.75, 0.25])


def test_a_model_of_another_task_is_told_in_a_line(asr):
    outcome = asr("classify", "--model", "las", "a.wav")
    assert outcome.status == 1
    assert outcome.err == "asr: las: this model was trained to transcribe; use `asr transcribe`\n"
