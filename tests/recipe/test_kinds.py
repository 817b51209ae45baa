"""Every kind is found, says what it costs and whose idea it is, and stands in recipes/KINDS.md."""

from pathlib import Path
from typing import Any

from asr.recipe.json_schema import recipe_json_schema
from asr.recipe.kinds import all_kinds
from asr.recipe.schema import Recipe

TABLE = Path(__file__).resolve().parents[2] / "recipes" / "KINDS.md"
STALE = "run: python -m asr.recognizer.kinds > recipes/KINDS.md"


def kinds_in(schema: dict[str, Any], name: str, found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Field and kind of every section below `name`, read from the JSON schema alone."""
    for field, rule in schema["$defs"][name]["properties"].items():
        for choice in [rule, *rule.get("anyOf", []), *rule.get("oneOf", [])]:
            nested = [choice, *choice.get("oneOf", [])]
            for inner in (each["$ref"].rpartition("/")[2] for each in nested if "$ref" in each):
                kind = schema["$defs"][inner]["properties"].get("kind")
                if kind:
                    found.add((field, kind["const"]))
                kinds_in(schema, inner, found)
    return found


def test_no_kind_is_forgotten():
    expected = kinds_in(recipe_json_schema(), "ModelSection", set())
    assert {("listener", "pyramid"), ("attention", "location"), ("speller", "lstm")} <= expected
    assert {(kind.part, kind.name) for kind in all_kinds()} == expected


def test_every_kind_says_how_its_cost_grows_and_whose_idea_it_is():
    for kind in all_kinds():
        for note in ("complexity", "paper"):
            assert getattr(kind.section, note, ""), (
                f'{kind.section.__name__}: write  {note}: ClassVar[str] = "…"  above its kind, as its neighbours do'
            )


def test_every_kind_makes_a_recipe_in_which_it_is_chosen():
    for kind in all_kinds():
        values = {"data": {"train": ("-",), "dev": ("-",)}, "tokenizer": {"kind": "char"}, "model": kind.model}
        assert kind.section in _sections(Recipe.model_validate(values).model), kind.name


def _sections(section: Any) -> set[type]:
    inner = [value for value in dict(section).values() if hasattr(value, "model_fields")]
    return {type(section)}.union(*map(_sections, inner))


def test_the_table_has_a_line_for_every_kind_and_says_what_the_sections_say():
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    written = [(row[0], row[1], row[4], row[5]) for row in cells]
    kinds = all_kinds()
    assert written == [(f"`{k.name}`", k.purpose, k.section.complexity, k.section.paper) for k in kinds], STALE
