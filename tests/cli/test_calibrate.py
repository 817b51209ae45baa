from pathlib import Path
from types import SimpleNamespace

from asr.recognizer import calibrate as calibrate_module
from asr.recognizer import recognizer as recognizer_module


def test_a_model_is_calibrated_with_the_search_that_is_asked_for(asr, monkeypatch):
    made = []

    def load(folder, *, device, search):
        return (folder, device, tuple(search))

    def calibrate(recognizer, folder, manifest, ranks, progress):
        progress(1, 2)
        made.append((recognizer, folder, manifest))
        return SimpleNamespace(report="12 words")

    monkeypatch.setattr(recognizer_module.Recognizer, "load", load)
    monkeypatch.setattr(calibrate_module, "calibrate", calibrate)
    outcome = asr("calibrate", "--model", "m", "dev.jsonl", "--search", "beam_size=4", "--device", "cpu")
    assert (outcome.status, outcome.out) == (0, "12 words\n")
    assert made == [((Path("m"), "cpu", ("beam_size=4",)), Path("m"), Path("dev.jsonl"))]
