"""BLEU and chrF against what their definitions give by hand."""

import math

import pytest

from asr.scoring.errors import ScoringError
from asr.scoring.translation import score_translations


def test_bleu_is_the_geometric_mean_of_its_precisions_times_the_penalty() -> None:
    """9 of 10 words; 7 of 8, 5 of 6 and 3 of 4 n-grams; one word short of the 11 that were said."""
    references = ["eins zwei drei vier fünf sechs", "Null acht neun sieben fünf"]
    hypotheses = ["eins zwei drei vier fünf", "null acht neun sieben eins"]
    found = score_translations(references, hypotheses, n_resamples=200)
    expected = 100 * math.exp(1 - 11 / 10) * (9 / 10 * 7 / 8 * 5 / 6 * 3 / 4) ** 0.25
    assert found.bleu == pytest.approx(expected)
    assert found.bleu_margin is not None and 0 < found.bleu_margin < 60
    assert found.bleu_signature.startswith("nrefs:1|bs:200|seed:12345|case:lc|eff:no|tok:13a")
    assert found.lines[0].startswith(f"BLEU {expected:.2f} ± {found.bleu_margin:.2f}  nrefs:1|")


def test_a_perfect_translation_and_an_empty_one() -> None:
    texts = ["eins zwei drei vier", "fünf sechs sieben acht"]
    perfect, empty = score_translations(texts, texts), score_translations(texts, ["", ""])
    assert (round(perfect.bleu, 6), perfect.chrf, perfect.bleu_margin) == (100.0, 100.0, None)
    assert (empty.bleu, empty.chrf) == (0.0, 0.0)


def test_chrf_says_more_than_zero_where_bleu_cannot() -> None:
    found = score_translations(["eins zwei drei"], ["eins zwei"])
    assert found.bleu == 0.0
    assert found.chrf > 30.0


def test_nothing_to_score_is_refused() -> None:
    with pytest.raises(ScoringError, match="0 references"):
        score_translations([], [])
    with pytest.raises(ScoringError, match="2 references, 1 hypotheses"):
        score_translations(["a", "b"], ["a"])
