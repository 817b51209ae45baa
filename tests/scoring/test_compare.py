"""Two recognisers side by side: what changed is told, and what cannot be compared is refused."""

import json

import pytest

from asr.scoring.compare import as_json, compare_files, comparison_lines, write_comparison
from asr.scoring.corpus import score
from asr.scoring.errors import ScoringError
from asr.scoring.normalizers import normalizer
from asr.scoring.report import write_report
from asr.scoring.trn import write_trn

REFERENCES = {"s-1": "one two three", "s-2": "four five", "s-3": "six \x1b[31m", "s-4": ""}
A = {"s-1": "one two tree", "s-2": "four five", "s-3": "six six", "s-4": ""}
B = {"s-1": "one two three", "s-2": "for fife", "s-3": "six seven", "s-4": ""}


@pytest.fixture
def folders(tmp_path):
    for name, side in (("a", A), ("b", B)):
        write_report(tmp_path / name, score(REFERENCES, side, n_resamples=10))
    return tmp_path / "a", tmp_path / "b"


def test_folders_and_files_give_the_same(folders, tmp_path):
    of_folders = as_json(compare_files(*folders))
    for name, texts in (("ref", REFERENCES), ("x", A), ("y", B)):
        write_trn(tmp_path / f"{name}.trn", texts)
    of_files = as_json(compare_files(tmp_path / "x.trn", tmp_path / "y.trn", tmp_path / "ref.trn"))
    for each in (of_folders, of_files):
        each["a"].pop("name"), each["b"].pop("name"), each.pop("notes")
    assert of_folders == of_files
    assert [(change["id"], change["verdict"]) for change in of_folders["changed"]] == [
        ("s-2", "worse"),
        ("s-1", "better"),
        ("s-3", "otherwise"),
    ]
    assert (of_folders["n_better"], of_folders["n_worse"], of_folders["n_otherwise"]) == (1, 1, 1)
    assert of_folders["difference"] == pytest.approx(100 * 1 / 7, abs=1e-4)


def test_lines(folders):
    lines = comparison_lines(compare_files(*folders))
    assert lines[0].startswith("A %WER 28.57 [ 2 / 7, 0 ins, 0 del, 2 sub ]  ")
    assert lines[2].startswith("B − A: +14.29 % of the reference words, 95 % interval ")
    assert "relative +50.0 %" in lines[2]
    assert "utterances: 1 better, 1 worse, 1 other text with as many errors, 1 the same; 4 in all" in lines
    assert lines[lines.index("worse in B:") + 1 :][:4] == [
        "  s-2: 0 → 2 errors",
        "    ref four five",
        "    A   four five",
        "    B   for fife",
    ]
    assert comparison_lines(compare_files(*folders), n_listed=0)[-1].startswith("normalisation: raw")


def test_what_cannot_be_compared_is_refused(folders, tmp_path):
    write_report(tmp_path / "c", score({"s-1": "one", "s-9": "x"}, {"s-1": "one", "s-9": "x"}, n_resamples=10))
    with pytest.raises(ScoringError, match=r"(?s)3 .* in .*a alone: s-2, s-3, s-4\n1 .* in .*c alone: s-9\n1 .*: s-1"):
        compare_files(folders[0], tmp_path / "c")
    with pytest.raises(ScoringError, match=r"holds no results\.json"):
        compare_files(folders[0], tmp_path)
    write_trn(tmp_path / "x.trn", A)
    with pytest.raises(ScoringError, match="give the true texts, too"):
        compare_files(tmp_path / "x.trn", tmp_path / "x.trn")


def test_normalisation_is_of_all_texts(folders, tmp_path):
    rules = tmp_path / "rules.tsv"
    rules.write_text("tree\tthree\nfor\tfour\nfife\tfive\n")
    found = compare_files(*folders, normalizer=normalizer([str(rules)]))
    assert (found.a.words.n_errors, found.b.words.n_errors) == (1, 1)
    assert "rules.tsv (3 rules" in found.notes[0]


def test_json_is_written_whole_and_never_over_another_file(folders, tmp_path):
    found = compare_files(*folders)
    for _ in range(2):
        write_comparison(tmp_path / "new" / "out.json", found)
    assert json.loads((tmp_path / "new" / "out.json").read_text(), parse_constant=pytest.fail) == as_json(found)
    for content in ("mine", "[]", "3", '{"a": 1}'):
        (tmp_path / "mine.json").write_text(content)
        with pytest.raises(ScoringError, match="is no comparison"):
            write_comparison(tmp_path / "mine.json", found)
