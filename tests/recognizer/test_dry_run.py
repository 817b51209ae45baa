"""The dry run counts what it says it counts, and keeps nothing."""

from pathlib import Path

import pytest
import torch
from tones import write_corpus, write_recipe

from asr.recipe.load import load_recipe
from asr.recognizer.dry_run import dry_run
from asr.training.floor import count_flop


def test_a_dry_run_tells_and_keeps_nothing(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "tones", ["ab cd", "dad", "abcd"])
    recipe = load_recipe(write_recipe(tmp_path / "r.yaml", manifest))
    found = dry_run(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert found.n_utterances == 3
    assert found.run_units == pytest.approx(found.set_units * 12 / found.steps_per_epoch)
    assert 0 < found.floor_s < found.run_units / found.units_per_s
    assert "GFLOP per second of audio" in found.report


def test_an_lstm_costs_two_operations_per_weight_frame_and_utterance() -> None:
    lstm = torch.nn.LSTM(6, 4, batch_first=True)
    with torch.no_grad():
        n_flop = count_flop(lambda: lstm(torch.zeros(3, 10, 6)))
    assert n_flop == 2 * 3 * 10 * (6 * 16 + 4 * 16)
