"""The picture: its formats, odd tokens, any number of them, and letters of other scripts."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.font_manager import findfont
from sights import sight_of

from asr.recognizer.pictures.fonts import USUAL, families_for, n_columns
from asr.recognizer.pictures.maps import ALL, View, maps_of
from asr.recognizer.pictures.page import draw
from asr.recognizer.pictures.panels import emissions_of
from asr.recognizer.sight import Sight

ODD = ["▁", "o", "n", "e", "▁two", "▁$x", "\x1b[3m", "▁नमस्ते", "<unk>"]


def show(path: Path, sight: Sight, view: View = ALL, title: str = "") -> bytes:
    draw(path, sight, maps_of(sight, view), title)
    return path.read_bytes()


@pytest.mark.parametrize(("name", "magic"), [("x.png", b"\x89PNG"), ("new/y.PNG", b"\x89PNG"), ("x.pdf", b"%PDF")])
def test_the_suffix_says_the_format(tmp_path: Path, name: str, magic: bytes):
    assert show(tmp_path / name, sight_of(ODD), title="one $x \x1b[31m").startswith(magic)


def test_letters_of_an_svg_can_be_read_and_searched(tmp_path: Path):
    svg = show(tmp_path / "x.svg", sight_of(ODD), title="one $x \x1b[31m").decode()
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert {"one $x", "one", "two", "$x", "नमस्ते?", "end", "time in seconds", "attention"} <= set(texts)
    assert texts.count("two") == 3  # below the log-mel, above CTC's curve, beside its row
    assert show(tmp_path / "again.svg", sight_of(ODD), title="one $x \x1b[31m").decode() == svg


@pytest.mark.parametrize("n_tokens", [0, 1, 200])
@pytest.mark.parametrize("duration_s", [0.01, 0.1, 30.0])
def test_any_number_of_tokens_and_seconds(tmp_path: Path, n_tokens: int, duration_s: float):
    svg = show(tmp_path / "x.svg", sight_of(["▁a"] * n_tokens, duration_s), title="x").decode()
    assert ("(no words)" in svg) == (n_tokens == 0)
    assert ("no room to name" in svg) == (n_tokens == 200 and duration_s < 1)


@pytest.mark.parametrize("view", [ALL, View(layer=2), View(of_listener=True), View(rollout=True), View(None, 1, True)])
def test_any_view(tmp_path: Path, view: View):
    names = [f"layer {layer} head {head}" for layer in (1, 2) for head in (1, 2, 3)]
    sight = sight_of(["▁one", "▁two"], 1.0, names, listener=(3, 2))
    svg = show(tmp_path / "x.svg", sight, view).decode()
    for shown in maps_of(sight, view):
        assert f">{shown.title}</text>" in svg


def test_a_model_without_ctc_has_no_curve(tmp_path: Path):
    assert ">CTC<" in show(tmp_path / "x.svg", sight_of(["▁one"])).decode()
    assert ">CTC<" not in show(tmp_path / "x.svg", replace(sight_of(["▁one"]), posteriors=None)).decode()


def test_broken_numbers_are_drawn(tmp_path: Path):
    sight = sight_of(["▁one", "▁two"])
    for array in (sight.features, sight.attention, sight.posteriors):
        array[:] = np.nan
    show(tmp_path / "x.png", sight)


def test_another_suffix_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"expected one of \.png, \.svg, \.pdf"):
        show(tmp_path / "x.gif", sight_of(["▁a"]))


def test_ctc_spells_once_per_run_where_it_is_surest():
    best = [0, 5, 5, 0, 5, 4, 4, 4, 0]
    posteriors = np.full((9, 6), 0.05)
    posteriors[np.arange(9), best] = [0.75, 0.7, 0.75, 0.75, 0.6, 0.5, 0.7, 0.6, 0.75]
    assert emissions_of(posteriors) == [(5, 2), (5, 4), (4, 6)]


def test_fonts_that_have_the_letters_stand_behind_the_usual_one():
    assert families_for("one привет") == [USUAL]
    assert Path(findfont(USUAL)).is_file()
    assert len(families_for("one ⃒")) == 2  # a sign that matplotlib's STIX fonts have and DejaVu Sans has not
    assert families_for("\U0010fffd") == [USUAL]  # no font has it: it becomes a box


def test_chinese_letters_are_wide_and_accents_narrow():
    assert (n_columns("one"), n_columns("世界"), n_columns("e\u0301")) == (3, 4, 1)
