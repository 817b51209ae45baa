"""Recipes of large corpora, each on a tiny tree: prepared as the first comment says, ten steps of a narrow network."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from asr.corpora.prepare import prepare
from asr.recipe.load import load_recipe
from asr.recognizer import train as train_room
from asr.recognizer.train import train_recipe
from asr.recognizer.validate import Validator

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
TEXTS = ["the cat sat on the mat", "a cat", "that hat", "the man sat"]
NARROW = {"n_channels": 2, "n_layers": 1, "n_heads": 2, "kernel_width": 3, "n_filters": 2, "filter_width": 5}


def sound(path: Path) -> None:
    """Noise that passes for speech."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.1 * np.random.default_rng(0).normal(size=16_000)
    soundfile.write(path, samples.clip(-1, 1), 16_000, format={".sph": "NIST"}.get(path.suffix))


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def librispeech(source: Path) -> None:
    for subset in ("train-clean-100", "train-clean-360", "train-other-500", "dev-clean", "dev-other"):
        text(
            source / subset / "1/2/1-2.trans.txt", "".join(f"1-2-{n} {each.upper()}\n" for n, each in enumerate(TEXTS))
        )
        for number in range(len(TEXTS)):
            sound(source / subset / f"1/2/1-2-{number}.flac")


def aishell(source: Path) -> None:
    lines = []
    for split, speaker in (("train", "S0002"), ("dev", "S0724"), ("test", "S0764")):
        for number, each in enumerate(["而对", "楼市成交", "最大", "最大的市"]):
            id_ = f"BAC009{speaker}W{number:04}"
            lines.append(f"{id_} {' '.join(each)}\n")
            sound(source / "wav" / split / speaker / f"{id_}.wav")
    text(source / "transcript" / "aishell_transcript_v0.8.txt", "".join(lines))


def common_voice(source: Path) -> None:
    for split in ("train", "dev", "test"):
        rows = "".join(f"v\t{split}{n}.mp3\t{each}\tfr\n" for n, each in enumerate(TEXTS))
        text(source / f"{split}.tsv", f"client_id\tpath\tsentence\tlocale\n{rows}")
        for number in range(len(TEXTS)):
            sound(source / "clips" / f"{split}{number}.mp3")


def tedlium(source: Path) -> None:
    for split in ("train", "dev", "test"):
        rows = [f"{split}{n} 1 s 0.0 1.0 <o,f0,male> {each}\n" for n, each in enumerate(TEXTS)]
        for number, row in enumerate(rows):
            text(source / split / "stm" / f"{split}{number}.stm", row)
            sound(source / split / "sph" / f"{split}{number}.sph")


TREES: dict[str, Callable[[Path], None]] = {
    "librispeech": librispeech,
    "aishell": aishell,
    "common_voice": common_voice,
    "tedlium": tedlium,
}
SHIPPED = [path.relative_to(RECIPES) for corpus in TREES for path in sorted((RECIPES / corpus).glob("*.yaml"))]


def narrowed(section: dict[str, Any]) -> dict[str, Any]:
    """The same kinds, hardly any weights."""

    def narrow(key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return narrowed(value)
        if isinstance(value, tuple):
            return tuple(narrow(key, each) for each in value)
        if value is None or isinstance(value, str):
            return value
        return NARROW.get(key, 8 if key.startswith("d_") else value)

    return {key: narrow(key, value) for key, value in section.items()}


def changes(path: Path) -> list[str]:
    """What makes a recipe small: widths, batches, the tokens of four sentences, ten steps; all else is as shipped."""
    recipe = load_recipe(path)
    tokenizer = "char" if recipe.tokenizer.kind == "char" else f"{recipe.tokenizer.kind}, vocab_size: 18"
    training = {"n_steps": 10, "warmup_steps": 2, "validate_every": 10, "checkpoint_every": 10, "stages": "[]"}
    return [
        f"model={narrowed(recipe.model.model_dump(exclude_none=True))}".replace("(", "[").replace(")", "]"),
        f"tokenizer={{kind: {tokenizer}}}",
        *(f"training.{key}={value}" for key, value in {**training, "precision": "fp32", "device": "cpu"}.items()),
        *(f"data.{key}={value}" for key, value in {"batch_s": 3.0, "n_workers": 0, "n_buckets": 1}.items()),
    ]


@pytest.mark.parametrize("name", SHIPPED, ids=str)
def test_a_recipe_takes_ten_steps_on_a_tree_of_its_corpus(
    name: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = re.match(r"# asr prepare (\S+) SOURCE (\S+) && .*asr train recipes/(\S+)\n", (RECIPES / name).read_text())
    assert command and command[3] == str(name), "the first comment says how to prepare and train"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train_room, "matmul_rate", lambda *_: 1e9)  # measuring and drawing are tested elsewhere
    monkeypatch.setattr(Validator, "_picture", lambda *_: None)
    TREES[name.parts[0]](tmp_path / "source")
    prepare(command[1], tmp_path / "source", Path(command[2]))
    recipe = load_recipe(RECIPES / name, changes(RECIPES / name))
    train_recipe(recipe, tmp_path / "run")
    assert (tmp_path / "run" / "best" / "model.safetensors").is_file()
    assert (tmp_path / "run" / "checkpoints" / "step-00000010").is_dir()
