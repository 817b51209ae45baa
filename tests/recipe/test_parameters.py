"""Recipes that follow a published network have as many parameters as it has."""

from pathlib import Path

import pytest
from weightless import build_weightless

from asr.recipe.load import load_recipe

LIBRISPEECH = Path(__file__).resolve().parents[2] / "recipes" / "librispeech"
PUBLISHED_M = {
    "blstm_las": 52.0,
    "conformer": 116.0,
    "conformer_small": 34.0,
    "e_branchformer": 148.92,
    "e_branchformer_small": 38.47,
}


def test_every_recipe_is_compared() -> None:
    assert {path.stem for path in LIBRISPEECH.glob("*.yaml")} == set(PUBLISHED_M)


@pytest.mark.parametrize("name", PUBLISHED_M)
def test_parameters_are_those_published(name: str) -> None:
    recipe = load_recipe(LIBRISPEECH / f"{name}.yaml")
    assert recipe.tokenizer.kind != "char"
    model = build_weightless(recipe, recipe.tokenizer.vocab_size)
    n_millions = sum(weights.numel() for weights in model.parameters()) / 1e6
    assert abs(n_millions / PUBLISHED_M[name] - 1) < 0.03
