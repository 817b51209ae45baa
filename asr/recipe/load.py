"""From YAML and overrides to a checked `Recipe`, and back.

    recipe = load_recipe("recipes/digits/las.yaml", ["training.peak_lr=5e-4", "data.dev=[data/digits/dev.jsonl]"])

Overrides go through the same check as the file. A mapping as value replaces the whole section, which is how to change
its kind: `model.attention={kind: additive}`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from asr.recipe.faults import Fault, find_faults
from asr.recipe.schema import Recipe
from asr.recipe.yaml_reader import Document, YamlError, read_yaml
from asr.text.open_text import refuse_special

MAX_BYTES = 1_000_000


class RecipeError(ValueError):
    """A recipe that cannot be used; the message lists every fault with its place, one per line."""


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Reads a recipe and checks it.

    Args:
        path: YAML file of at most one megabyte.
        overrides: changes on top of the file, each `section.key=value` with the value in YAML.

    Returns:
        The recipe, with every key that was left out at its default.

    Raises:
        RecipeError: the file cannot be read, or a key or value is wrong; all faults at once.
    """
    path = Path(path)
    document = _read(path)
    values = document.value if document.value is not None else {}
    origins: dict[str, str] = {}
    for override in overrides:
        _apply(override, values, origins)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        faults = find_faults(error, values)
    raise RecipeError("\n".join(f"{_origin(fault, path, document.lines, origins)}{fault.text}" for fault in faults))


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as YAML with every key written out; `load_recipe` reads it back to an equal recipe."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)


def _read(path: Path) -> Document:
    """Reads a file of bounded size as YAML."""
    try:
        refuse_special(path)
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise RecipeError(f"{path}: larger than {MAX_BYTES} bytes; a recipe holds a few dozen values")
        return read_yaml(content.decode("utf-8-sig"))
    except OSError as error:
        raise RecipeError(f"{path}: cannot read the recipe: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not UTF-8 text: byte {error.start}") from None
    except YamlError as error:
        place = f"{path}:{error.line}" if error.line else f"{path}"
        raise RecipeError(f"{place}: {error}") from None


def _apply(override: str, values: Any, origins: dict[str, str]) -> None:
    """Puts one override into the plain values and notes which key it set."""
    key, equals, text = override.partition("=")
    key = key.strip()
    parts = key.split(".")
    if not equals or not all(parts):
        raise RecipeError(f"override {override!r}: expected section.key=value, as in training.n_steps=2000")
    if key in origins:
        raise RecipeError(f"override {override!r}: {key} is already set by {origins[key]!r}")
    try:
        value = read_yaml(text).value
    except YamlError as error:
        raise RecipeError(f"override {override!r}: {error}") from None
    section = values
    for depth, part in enumerate(parts):
        if not isinstance(section, dict):
            raise RecipeError(f"override {override!r}: {'.'.join(parts[:depth]) or 'the recipe'} is not a section")
        if depth < len(parts) - 1:
            section = section.setdefault(part, {})
        else:
            section[part] = value
    origins[key] = override


def _origin(fault: Fault, path: Path, lines: dict[str, int], origins: dict[str, str]) -> str:
    """Where the faulty value was written: the override that set it, else the line in the file."""
    for key, override in origins.items():
        if f"{key}.".startswith(f"{fault.key}.") or f"{fault.key}.".startswith(f"{key}."):
            return f"override {override!r}: "
    parts = fault.key.split(".")
    for end in range(len(parts), 0, -1):
        line = lines.get(".".join(parts[:end]))
        if line is not None:
            return f"{path}:{line}: "
    return f"{path}: "
