"""Each flag on a case that provokes it, and none where CTC agrees."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asr.recognizer.flags import flags_of
from asr.recognizer.transcript import Flag
from asr.search.ctc_align import best_paths, ctc_align
from asr.search.hypothesis import Finish, Hypothesis

N_TOKENS = 12


def flags(said: list[int], written: list[int], may_be_speech: bool = True, finish: Finish = "eos") -> tuple[Flag, ...]:
    """The flags of a text, where CTC hears these labels at the states, zeros being blank, and seldom anything else."""
    probs = torch.full((len(said), N_TOKENS), 0.001)
    probs[:, 0] = 0.01
    probs[range(len(said)), said] = 0.9
    log_probs = (probs / probs.sum(-1, keepdim=True)).log()[None]
    lens = torch.tensor([len(said)])
    (alignment,), (heard,) = ctc_align(log_probs, lens, [written]), best_paths(log_probs, lens)
    return flags_of(Hypothesis(tuple(written), -1.0, {}, finish), alignment, heard, may_be_speech)


def spoken(tokens: list[int], pause: int = 1) -> list[int]:
    return [label for token in tokens for label in (token, *[0] * pause)]


@given(st.lists(st.integers(0, N_TOKENS - 1), min_size=1, max_size=60).filter(any))
def test_what_ctc_hears_is_never_suspect(said: list[int]) -> None:
    assert flags(said, [label for label, _ in itertools.groupby(said) if label]) == ()


WORD = [4, 5, 6]


@pytest.mark.parametrize(
    ("said", "written", "expected"),
    [
        (spoken(WORD * 5), WORD * 5, ()),
        (spoken([7, *WORD], pause=8), [7, *WORD * 5], ("loop", "invented_text")),
        (spoken([7, *WORD * 3], pause=4), [7, *WORD * 7], ("loop", "invented_text")),
        (spoken([4, 5, 6, 7, 8, 9, 10, 11]), [4, 5, 6], ("missing_text",)),
        (spoken([4, 5, 6, 7, 8, 9, 10, 11]), [4, 5, 10, 11], ("missing_text",)),
        (spoken([4, 5, 6, 7, 8, 9, 10, 11]), [9, 10, 11], ("missing_text",)),
        (spoken([4, 5, 6, 7, 8, 9]), [4, 5, 6, 7, 8], ()),
        (spoken([4, 5, 6]) + [0] * 20, [4, 5, 6, 7, 8, 9], ("invented_text",)),
        ([0] * 20 + spoken([4, 5, 6]), [9, 8, 7, 4, 5, 6], ("invented_text",)),
        (spoken([4, 5, 6, 7]), [4, 5, 8, 9, 10, 6, 7], ("invented_text",)),
        ([0] * 20, [4, 5], ("no_speech",)),
        ([0] * 20, [], ("no_speech",)),
        ([0] * 20, [4, 5, 6], ("no_speech", "invented_text")),
        ([4, 4, 0, 5], [4, 5, 6, 7, 8], ("invented_text",)),
        ([4, 4, 0, 5], [4, 4, 4, 4], ("loop", "invented_text")),
    ],
    ids=[
        "said five times", "a loop", "a loop after speech", "an early end", "left out", "a late start",
        "one token less", "invented at the end", "invented at the start", "invented in speech", "silence",
        "silence without text", "invented in silence",
        "more tokens than states", "a loop of more tokens than states",
    ],
)  # fmt: skip
def test_provoked(said: list[int], written: list[int], expected: tuple[Flag, ...]) -> None:
    assert flags(said, written) == expected


def test_what_needs_no_ctc() -> None:
    said = spoken(WORD)
    assert flags(said, WORD, may_be_speech=False) == ("no_speech",)
    assert flags(said, WORD, finish="max_length") == ("max_length",)
    loop = Hypothesis((4, 5) * 4, -1.0, {}, "max_length")
    assert flags_of(loop, None, None, True) == ("max_length", "loop")
    assert flags_of(Hypothesis((4, 5) * 3, -1.0, {}, "eos"), None, None, True) == ()
