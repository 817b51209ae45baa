"""Normalisation is named, folds what it says, and keeps letters."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.scoring.errors import ScoringError
from asr.scoring.normalizers import RAW, basic, normalizer, read_rules


@settings(deadline=None)
@given(st.text())
def test_laws(text):
    assert RAW.apply(text) == " ".join(text.split())
    assert basic(basic(text)) == basic(text)
    assert basic(text) == basic(text.swapcase().swapcase()) or text.swapcase().swapcase() != text
    assert basic(text).split() == basic(text).split(" ") or basic(text) == ""


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Hello, World!", "hello world"),
        ("don\u2019t 'quote' rock'n'roll", "don't quote rock'n'roll"),
        ("STRASSE straße", "strasse strasse"),
        ("Zoë ＡＢＣ ﬁn", "zoë abc fin"),
        (
            "\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902",
            "\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902",
        ),
        ("twenty-five $3.50", "twenty five 3 50"),
        ("' -- '", ""),
    ],
)
def test_basic_folds_and_keeps(text, folded):
    assert basic(text) == folded


def test_rules_take_the_longest_and_look_at_nothing_twice(tmp_path):
    path = tmp_path / "rules.tsv"
    path.write_text(
        "# comment\ncolour\tcolor\nmr\tmister\nmister x\ty\nnew york\tNYC\nnew\told\num\t\n", encoding="utf-8"
    )
    rules = read_rules(path)
    assert rules.apply("um the colour of new york is new um mr x") == "the color of NYC is old mister x"
    assert rules.name.startswith("rules.tsv (6 rules, SHA-256 ")
    both = normalizer(["basic", str(path)])
    assert both.apply("Um, the COLOUR.") == "the color"
    assert both.name == f"basic (rules 1), then {rules.name}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a b\n\tc\n", r"(?s)rules\.tsv:1: expected 'from TAB to'.*rules\.tsv:2: "),
        ("a\tb\na\tc\n", r"rules\.tsv:2: a second rule for 'a'"),
        ("a\tb\tc\n", r"rules\.tsv:1: "),
        ("# nothing\n", "holds no rule"),
    ],
)
def test_faulty_rules_are_told(tmp_path, content, message):
    (tmp_path / "rules.tsv").write_text(content)
    with pytest.raises(ScoringError, match=message):
        read_rules(tmp_path / "rules.tsv")


def test_whisper_is_named_with_its_version_or_its_absence_told(monkeypatch):
    try:
        found = normalizer(["whisper"])
    except ScoringError as error:
        assert "pip install 'asr[normalize]'" in str(error)
    else:
        assert found.name.startswith("whisper English (whisper-normalizer ")
        assert found.apply("Mr. Smith won't pay, uh, colour!") == "mister smith will not pay color"
    monkeypatch.setitem(sys.modules, "whisper_normalizer.english", None)
    with pytest.raises(ScoringError, match="needs the package whisper-normalizer"):
        normalizer(["whisper"])
