"""Which models are kept and averaged."""

from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st

from asr.training.candidates import Scored, average_weights, best_of, to_average
from asr.training.tensors import save_tensors

validations = st.lists(st.builds(Scored, st.integers(1, 100), st.floats(0, 3)), unique_by=lambda scored: scored.step)


@given(validations, st.integers(1, 5))
def test_the_best_are_no_worse_than_the_rest(found: list[Scored], n: int) -> None:
    best = best_of(found, n)
    assert len(best) == min(n, len(found))
    assert all(kept.error <= other.error for kept in best for other in found if other not in best)


@given(validations, st.integers(1, 5))
def test_only_the_second_half_is_averaged(found: list[Scored], n: int) -> None:
    assert to_average(found, n, 100) == best_of([scored for scored in found if scored.step > 50], n)


def test_of_equals_the_later_leads() -> None:
    assert best_of([Scored(1, 0.5), Scored(3, 0.5), Scored(2, 0.5)], 2) == [Scored(3, 0.5), Scored(2, 0.5)]


def test_weights_are_averaged_to_the_bit(tmp_path: Path) -> None:
    torch.manual_seed(0)
    models = [{"a": torch.randn(3, 4), "b": torch.randn(2)} for _ in range(3)]
    paths = [tmp_path / f"{number}.safetensors" for number in range(3)]
    for path, tensors in zip(paths, models, strict=True):
        save_tensors(path, tensors)
    for name, value in average_weights(paths).items():
        expected = torch.stack([tensors[name].double() for tensors in models]).mean(0).float()
        torch.testing.assert_close(value, expected)
        assert value.dtype == torch.float32
