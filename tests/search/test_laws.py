import pytest

from tests.search.laws import LAWS, a_beam_of_twice_the_width_is_no_worse


@pytest.mark.parametrize("law", LAWS)
def test_the_law_holds(law: str) -> None:
    """Settings differ from seed to seed; `scripts/prove_search` asks thousands of models."""
    n_seeds, n_models = (3, 10) if law == "the_batch_changes_nothing" else (12, 25)
    assert sum(LAWS[law](seed, n_models) for seed in range(n_seeds)) == 0


def test_a_wider_beam_is_hardly_ever_worse() -> None:
    """It can be; so the law is not among them. More than one in twenty would be a fault."""
    assert sum(a_beam_of_twice_the_width_is_no_worse(seed, 50) for seed in range(12)) < 0.05 * 600
