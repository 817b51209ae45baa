import numpy as np

from asr.audio.read import AudioError
from asr.recognizer.transcript import Segment


class FakeRecognizer:
    @classmethod
    def load(cls, folder, *, device, search):
        return cls()


def fakes(monkeypatch, recognizer, microphone):
    monkeypatch.setattr("asr.recognizer.recognizer.Recognizer", recognizer)
    monkeypatch.setattr("asr.audio.live.microphone", microphone)


def test_a_line_for_each_utterance(asr, monkeypatch):
    fakes(monkeypatch, FakeRecognizer, lambda name: iter([name]))

    def transcribe_live(recognizer, blocks, *, longest_s):
        assert (list(blocks), longest_s) == (["usb"], 9.0)
        yield from (Segment(at, at + 1.0, text, -1.0, 2) for at, text in [(1.0, "hello"), (62.4, "good bye")])

    monkeypatch.setattr("asr.recognizer.live.transcribe_live", transcribe_live)
    outcome = asr("record", "--model", "m", "--microphone", "usb", "--max-segment", "9")
    assert (outcome.status, outcome.out) == (0, "0:00:01 hello\n0:01:02 good bye\n")


def test_no_microphone_is_told_in_words(asr, monkeypatch):
    def microphone(name):
        raise AudioError("no sound on this machine")
        yield np.zeros(1)

    class Listening(FakeRecognizer):
        recipe = type("Recipe", (), {"data": type("Data", (), {"max_duration_s": 30.0})})

    fakes(monkeypatch, Listening, microphone)
    outcome = asr("record", "--model", "m")
    assert (outcome.status, outcome.err) == (1, "listening; Ctrl-C ends\nasr: no sound on this machine\n")
