import json

import numpy as np
import pytest
import soundfile as sf


@pytest.fixture
def files(tmp_path):
    (tmp_path / "ref.trn").write_text("Hello there (s-1)\nhow are you (s-2)\n")
    (tmp_path / "hyp.trn").write_text("how are we \x1b[31m (s-2)\nhello there (s-1)\n")
    return tmp_path / "ref.trn", tmp_path / "hyp.trn"


def test_the_score_is_printed_and_written(asr, files, tmp_path):
    outcome = asr("score", *files, "--out", tmp_path / "out")
    assert outcome.status == 0
    assert outcome.out.startswith("%WER 60.00 [ 3 / 5, 1 ins, 0 del, 2 sub ]\n%CER ")
    assert "normalisation: raw: words compared exactly, case included\n" in outcome.out
    assert "\x1b" not in outcome.out
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["wer"] == 60.0
    assert results["about"]["normalisation"].startswith("raw")
    again = asr("score", tmp_path / "out" / "results.json", "--normalize", "basic")
    assert again.out.startswith("%WER 40.00 [ 2 / 5, 1 ins, 0 del, 1 sub ]\n")
    assert "normalisation: basic (rules 1)\n" in again.out


def test_faults_are_lines_and_status_1(asr, files):
    files[1].write_text("x (s-1)\ny (s-3)\n")
    outcome = asr("score", *files)
    assert outcome.status == 1 and outcome.out == ""
    assert outcome.err.splitlines() == [
        "asr: 1 utterance id(s) without a hypothesis: s-2",
        "asr: 1 utterance id(s) without a reference: s-3",
    ]


def test_a_folder_that_holds_other_files_of_these_names_is_left_alone(asr, files, tmp_path):
    (tmp_path / "wer.txt").write_text("mine")
    outcome = asr("score", *files, "--out", tmp_path)
    assert outcome.status == 1 and "not of an earlier report" in outcome.err
    assert (tmp_path / "wer.txt").read_text() == "mine"
    assert files[0].read_text().startswith("Hello")


def test_two_sides_are_compared(asr, files, tmp_path):
    other = tmp_path / "other.trn"
    other.write_text("how are you (s-2)\nhello there (s-1)\n")
    outcome = asr("compare", "--ref", *files, other, "--out", tmp_path / "c.json", "--list", 1)
    assert outcome.status == 0
    assert "better in B:\n  s-2: 2 → 0 errors\n    ref how are you\n    A   how are we \ufffd[31m\n" in outcome.out
    assert "\x1b" not in outcome.out
    assert json.loads((tmp_path / "c.json").read_text())["n_better"] == 1
    assert asr("compare", files[0], other).status == 1


def test_audio_that_rows_name_is_heard(asr, tmp_path):
    sf.write(
        tmp_path / "a.wav", np.random.default_rng(0).standard_normal(16_000) * np.repeat([0.001, 0.1], 8000), 16_000
    )
    rows = [{"audio_filepath": "a.wav", "text": "one two", "pred_text": "one too"}]
    (tmp_path / "nemo.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for words, found in (((), '"url":"./../a.wav"'), (("--embed-audio", 1), '{"0":"ZkxhQ')):
        assert asr("score", tmp_path / "nemo.json", "--out", tmp_path / "out", *words).status == 0
        page = (tmp_path / "out" / "report.html").read_text()
        assert found in page and '"snr":' in page
