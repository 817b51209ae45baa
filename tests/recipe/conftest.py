"""Recipes for the tests: one per choice of kinds, and every recipe that ships."""

from pathlib import Path

import pytest

SHIPPED = sorted((Path(__file__).resolve().parents[2] / "recipes").glob("**/*.yaml"))
CHOICES = [
    ("{kind: char}", "{kind: pyramid}", "{kind: additive}", "{kind: lstm}"),
    ("{kind: unigram, vocab_size: 500}", "{kind: conv_blstm}", "{kind: location}", "{kind: lstm}"),
    ("{kind: bpe, vocab_size: 500}", "{kind: pyramid}", "{kind: additive}", "{kind: parallel_lstm}"),
    ("{kind: char}", "{kind: conv_blstm}", "null", "{kind: transformer}"),
    ("{kind: char}", "{kind: conformer, self_attention: {kind: full, n_heads: 8}}", "{kind: dot}", "{kind: lstm}"),
    ("{kind: char}", "{kind: e_branchformer, self_attention: {kind: windowed}}", "null", "{kind: transformer}"),
]


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    return write_choice(tmp_path, CHOICES[0])


@pytest.fixture(
    params=[*CHOICES, *SHIPPED],
    ids=lambda param: str(param) if isinstance(param, tuple) else f"{param.parent.name}-{param.stem}",
)
def any_recipe_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return request.param if isinstance(request.param, Path) else write_choice(tmp_path, request.param)


@pytest.fixture
def recipe_files(tmp_path: Path) -> list[Path]:
    """All of them."""
    folders = [tmp_path / str(number) for number in range(len(CHOICES))]
    for folder in folders:
        folder.mkdir()
    return [*(write_choice(folder, choice) for folder, choice in zip(folders, CHOICES, strict=True)), *SHIPPED]


def write_choice(folder: Path, choice: tuple[str, str, str, str]) -> Path:
    tokenizer, listener, attention, speller = choice
    path = folder / "las.yaml"
    path.write_text(
        "data: {train: [a/train.jsonl], dev: [a/dev.jsonl]}\n"
        f"tokenizer: {tokenizer}\n"
        f"model:\n  listener: {listener}\n  attention: {attention}\n  speller: {speller}\n"
    )
    return path
