import pytest

from tests.search.laws import LAWS


@pytest.mark.parametrize("law", LAWS)
def test_the_law_holds(law: str) -> None:
    """Settings differ from seed to seed; `scripts/prove_search` asks thousands of models."""
    n_seeds, n_models = (3, 10) if law == "the_batch_changes_nothing" else (12, 25)
    assert sum(LAWS[law](seed, n_models) for seed in range(n_seeds)) == 0
