"""A small part of what `scripts/prove_prepare` does."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest


def test_mutated_audio_lists_and_archives(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(__file__).parents[2] / "scripts" / "prove_prepare"
    spec = spec_from_loader("prove_prepare", SourceFileLoader("prove_prepare", str(path)))
    assert spec is not None
    module = module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(module)
    n_wrong = module.main(["--files", "500", "--lists", "40", "--archives", "60"])
    assert n_wrong == 0, capsys.readouterr().out
