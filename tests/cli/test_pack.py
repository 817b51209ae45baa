from pathlib import Path

from asr.recognizer import default_model
from asr.recognizer import pack as pack_module


def test_a_packed_model_is_told_with_its_size(asr, monkeypatch, tmp_path):
    made = []
    monkeypatch.setattr(pack_module, "pack_model", lambda *given: made.append(given) or 24_300_000)
    outcome = asr("pack", "--model", "m", "--search", "beam_size=5", "--out", tmp_path / "packed")
    assert (outcome.status, outcome.out) == (0, f"{tmp_path / 'packed'}: 24.3 MB\n")
    assert made == [(Path("m"), tmp_path / "packed", ["beam_size=5"])]


def test_a_package_without_a_model_says_so_in_one_line(asr, monkeypatch, tmp_path):
    monkeypatch.setattr(default_model, "HOME", tmp_path)
    (tmp_path / "a.wav").write_bytes(b"")
    for words in (("transcribe", tmp_path / "a.wav"), ("evaluate", "a.jsonl"), ("inspect", "a.wav", "--out", "a.png")):
        outcome = asr(*words)
        assert outcome.status == 2
        assert outcome.err.startswith("asr: no model was named, and none came with this package")
        assert outcome.err.count("\n") == 1
