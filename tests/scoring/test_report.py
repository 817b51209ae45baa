"""The files of a score: trn and back, results.json, wer.txt; and sclite agrees where it is installed."""

import json
import runpy
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.scoring.corpus import score
from asr.scoring.errors import ErrorCounts, ScoringError
from asr.scoring.report import FILES, wer_line, write_report
from asr.scoring.trn import read_trn, trn_id, write_trn

COMPARE = Path(__file__).parents[2] / "scripts" / "compare_sclite"


def test_wer_line_is_kaldi_verbatim():
    assert wer_line(ErrorCounts(1284, 171, 167, 51121)) == "%WER 3.09 [ 1622 / 52576, 167 ins, 171 del, 1284 sub ]"
    assert wer_line(ErrorCounts(insertions=3)) == "%WER inf [ 3 / 0, 3 ins, 0 del, 0 sub ]"


@settings(deadline=None)  # two busy cores
@given(st.dictionaries(st.text("abc-_%2é(0 ", min_size=1), st.text("ab (){};\u00a0\x1b", max_size=9), max_size=5))
def test_trn_round_trip(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("trn") / "x.trn"
    write_trn(path, texts)
    assert read_trn(path) == {trn_id(id): " ".join(text.split()) for id, text in texts.items()}


@settings(deadline=None)  # two busy cores
@given(st.lists(st.text() | st.text("%2 (\ud800\x9b0"), unique=True))
def test_ids_stay_different_and_ordinary_ones_stay_as_they_are(ids):
    assert len({trn_id(id) for id in ids}) == len(ids)
    assert trn_id("1089-134686-0000") == "1089-134686-0000"
    assert trn_id("50%_my file(1)") == "50%_my%20file%281%29"


def test_trn_reading_tolerates_windows_and_lists_every_fault(tmp_path):
    path = tmp_path / "x.trn"
    path.write_bytes(b"\xef\xbb\xbf;; comment\r\nhello world (a-1)\r\n\r\n(a-2)\r\n")
    assert read_trn(path) == {"a-1": "hello world", "a-2": ""}
    path.write_text("no id\nfine (a)\nbad (b c)\n")
    with pytest.raises(ScoringError, match=r"(?s)x\.trn:1: .*'no id'.*x\.trn:3: "):
        read_trn(path)
    path.write_text("x (a)\ny (a)\n")
    with pytest.raises(ScoringError, match=r"more than once in .*x\.trn: a"):
        read_trn(path)


def test_report_files(tmp_path):
    references = {"s-2": "hello there", "s-1": "good \x1b[31mmorning", "s-3": ""}
    result = score(references, {"s-1": "good", "s-2": "hello here you", "s-3": "uh"}, {"s-1": "s"})
    write_report(tmp_path / "out", result, {"command": "asr evaluate"})
    out = tmp_path / "out"
    assert {entry.name for entry in out.iterdir()} == set(FILES)
    assert "|out|3|4|" in (out / "RESULTS.md").read_text()
    assert "<title>out</title>" in (out / "report.html").read_text()
    assert (out / "hyp.trn").read_text() == "good (s-1)\nhello here you (s-2)\nuh (s-3)\n"
    assert (out / "ref.trn").read_text() == "good \x1b[31mmorning (s-1)\nhello there (s-2)\n(s-3)\n"
    results = json.loads((out / "results.json").read_text())
    assert results["wer"] == 100.0
    assert results["words"]["insertions"] == 2
    assert results["about"] == {"command": "asr evaluate"}
    lines = (out / "wer.txt").read_text().splitlines()
    assert lines[:3] == [
        "%WER 100.00 [ 4 / 4, 2 ins, 1 del, 1 sub ]",
        "%SER 100.00 [ 3 / 3 ]",
        "Scored 3 sentences, 0 not present in hyp.",
    ]
    assert "s-3, %WER inf [ 1 / 0, 1 ins, 0 del, 0 sub ]" in lines
    at = lines.index("s-2, %WER 100.00 [ 2 / 2, 1 ins, 0 del, 1 sub ]")
    rows = [[cell.strip() for cell in line.split(" ; ")] for line in lines[at + 1 : at + 4]]
    assert sorted(zip(*rows, strict=True)) == sorted(
        [("hello", "=", "hello"), ("there", "S", "here"), ("<eps>", "I", "you")]
    ) or sorted(zip(*rows, strict=True)) == sorted(
        [("hello", "=", "hello"), ("<eps>", "I", "here"), ("there", "S", "you")]
    )
    assert len({len(line) for line in lines[at + 1 : at + 4]}) == 1
    assert not any("\x1b" in line for line in lines)


def test_texts_are_kept_where_the_page_fails(tmp_path):
    def evidence():
        raise RuntimeError("no picture")

    with pytest.raises(RuntimeError):
        write_report(tmp_path, score({"a": "x"}, {"a": "x"}), evidence=evidence)
    assert {entry.name for entry in tmp_path.iterdir()} == set(FILES) - {"report.html"}
    write_report(tmp_path, score({"a": "x"}, {"a": "x"}))
    assert (tmp_path / "report.html").exists()


def test_an_infinite_rate_is_null_in_json(tmp_path):
    write_report(tmp_path, score({"a": ""}, {"a": "ghost"}))
    results = json.loads((tmp_path / "results.json").read_text(), parse_constant=pytest.fail)
    assert results["wer"] is None
    assert results["words"]["n_errors"] == 1


@pytest.mark.skipif(not (shutil.which("sctk") or shutil.which("sclite")), reason="NIST sclite (Debian: sctk) is absent")
def test_sclite_agrees():
    names = runpy.run_path(str(COMPARE))
    result = names["compare"](*(names["random_texts"](2000, seed) for seed in (0, 1)))
    assert result.n_utterances == 2000
    assert result.unexplained == []
