"""A typo in any key of any recipe, one at a time, is refused, and the refusal names the right key."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from asr.recipe.load import RecipeError, dump_recipe, load_recipe


def keys_of(values: dict[str, Any], prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in values.items():
        yield (*prefix, name)
        if isinstance(value, dict):
            yield from keys_of(value, (*prefix, name))


def typos_of(name: str) -> set[str]:
    """The name with one letter dropped, doubled, replaced, swapped with its neighbour, or added."""
    middle = len(name) // 2
    head, before, letter, tail = name[: middle - 1], name[middle - 1], name[middle], name[middle + 1 :]
    dropped, doubled, replaced = (
        head + before + tail,
        name[:middle] + letter + name[middle:],
        head + before + "x" + tail,
    )
    return {dropped, doubled, replaced, head + letter + before + tail, name + "s"} - {name}


def renamed(values: dict[str, Any], path: tuple[str, ...], new: str) -> dict[str, Any]:
    first, *rest = path
    if rest:
        return {**values, first: renamed(values[first], tuple(rest), new)}
    return {new if name == first else name: value for name, value in values.items()}


def sections_of(files: list[Path]) -> Iterator[tuple[Path, dict[str, Any], tuple[str, ...]]]:
    """Every key of every recipe, once for each set of keys it stands among: file, resolved recipe and path."""
    seen = set()
    for file in files:
        values = yaml.safe_load(dump_recipe(load_recipe(file)))
        for path in keys_of(values):
            beside = (*path, *sorted(value_at(values, path[:-1])))
            if beside not in seen:
                seen.add(beside)
                yield file, values, path


def value_at(values: dict[str, Any], path: tuple[str, ...]) -> Any:
    return value_at(values[path[0]], path[1:]) if path else values


def test_typo_in_a_file(recipe_files, tmp_path):
    n_typos = 0
    for _, values, path in sections_of(recipe_files):
        for typo in typos_of(path[-1]):
            file = tmp_path / "typo.yaml"
            file.write_text(json.dumps(renamed(values, path, typo)))  # JSON is YAML, and quicker
            with pytest.raises(RecipeError) as error:
                load_recipe(file)
            assert f"did you mean {'.'.join(path)}?" in str(error.value), (path, typo)
            assert len(str(error.value).splitlines()) == 1
            n_typos += 1
    assert n_typos > 500


def test_typo_in_an_override(recipe_files):
    for file, values, path in sections_of(recipe_files):
        value = value_at(values, path)
        if isinstance(value, dict):
            continue
        for typo in typos_of(path[-1]):
            override = f"{'.'.join((*path[:-1], typo))}={yaml.safe_dump(value, default_flow_style=True)}"
            with pytest.raises(RecipeError) as error:
                load_recipe(file, [override])
            assert f"did you mean {'.'.join(path)}?" in str(error.value), (path, typo)
            assert str(error.value).startswith("override ")
