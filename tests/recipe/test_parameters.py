"""Recipes that follow a published network have as many parameters as it has."""

from pathlib import Path

import pytest
from weightless import build_weightless

from asr.recipe.load import load_recipe

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
PUBLISHED_M = {
    "librispeech/blstm_las": 52.0,
    "librispeech/conformer": 116.0,
    "librispeech/conformer_small": 34.0,
    "librispeech/e_branchformer": 148.92,
    "librispeech/e_branchformer_small": 38.47,
    "aishell/e_branchformer": 37.88,
    "tedlium/e_branchformer": 35.01,
    "common_voice/conformer": 43.02,  # told of VoxForge, with the same widths
}
"""In millions, as told beside their results (neural_sp's and ESPnet's)."""

AISHELL_CHARACTERS = 4233
"""Tokens of ESPnet's AISHELL-1: the characters of its training set, and the special ones."""


def test_every_recipe_of_a_large_corpus_is_compared() -> None:
    corpora = {Path(name).parent for name in PUBLISHED_M}
    shipped = {str(path.relative_to(RECIPES).with_suffix("")) for path in RECIPES.glob("*/*.yaml")}
    assert {name for name in shipped if Path(name).parent in corpora} == set(PUBLISHED_M)


@pytest.mark.parametrize("name", PUBLISHED_M)
def test_parameters_are_those_published(name: str) -> None:
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    is_char = recipe.tokenizer.kind == "char"
    model = build_weightless(recipe, AISHELL_CHARACTERS if is_char else recipe.tokenizer.vocab_size)
    n_millions = sum(weights.numel() for weights in model.parameters()) / 1e6
    assert abs(n_millions / PUBLISHED_M[name] - 1) < 0.03
