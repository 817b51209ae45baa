"""The attention picture: the right suffixes, odd tokens, and words at the times they were attended."""

import time
from pathlib import Path

import numpy as np
import pytest

from asr.recognizer.picture import _words, attention_picture

PIECES = ["▁", "o", "n", "e", "▁two", "▁$x", "\x1b[3m", "▁नमस्ते", "<unk>", "</s>"]


def diagonal(n_tokens: int, n_states: int) -> np.ndarray:
    weights = np.full((n_tokens, n_states), 0.01)
    weights[np.arange(n_tokens), np.linspace(0, n_states - 1, n_tokens).astype(int)] = 1.0
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("name", "magic"), [("x.png", b"\x89PNG"), ("x.svg", b"<?xml"), ("new/y.PNG", b"\x89PNG")])
def test_it_draws_in_under_a_second(tmp_path: Path, name: str, magic: bytes):
    features = np.random.default_rng(0).normal(size=(300, 80))
    attention_picture(tmp_path / "warm.png", features, diagonal(10, 75), PIECES, 3.0)
    start = time.process_time()
    attention_picture(tmp_path / name, features, diagonal(10, 75), PIECES, 3.0, "one $x \x1b[31m")
    assert time.process_time() - start < 2.0  # one on an idle machine
    assert (tmp_path / name).read_bytes().startswith(magic)


def test_words_are_named_where_they_were_attended():
    words = _words(diagonal(10, 100), PIECES, 10.0)
    assert [word.text for word in words] == ["one", "two", "$x", "नमस्ते?"]
    assert [(word.first, word.last) for word in words] == [(0, 3), (4, 4), (5, 6), (7, 8)]
    assert words[0].time_s == pytest.approx(2.25)
    assert words[1].time_s == pytest.approx(4.45)


@pytest.mark.parametrize("n_tokens", [0, 1, 200])
def test_any_number_of_tokens(tmp_path: Path, n_tokens: int):
    pieces = ["▁a"] * n_tokens
    attention_picture(tmp_path / "x.png", np.zeros((50, 80)), diagonal(n_tokens, 12), pieces, 0.5)
    assert (tmp_path / "x.png").stat().st_size > 1000


def test_wrong_input_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"expected \.png or \.svg"):
        attention_picture(tmp_path / "x.gif", np.zeros((5, 80)), diagonal(1, 5), ["a"], 1.0)
    with pytest.raises(ValueError, match="2 pieces"):
        attention_picture(tmp_path / "x.png", np.zeros((5, 80)), diagonal(1, 5), ["a", "b"], 1.0)
