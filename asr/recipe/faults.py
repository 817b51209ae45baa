"""What is wrong with a recipe, in the words of its author: dotted key, value, what was expected, did you mean.

pydantic finds the faults; this file tells them. A place in pydantic's words is a path through the values in which the
chosen `kind` of an alternative stands as a step of its own; here it becomes the dotted key that the author wrote.
"""

import json
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from asr.recipe.schema import Recipe
from asr.recipe.section import Section, dotted_keys, kind_of, sections_in

_PLAIN = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "path_type": "a path",
    "tuple_type": "a list",
    "finite_number": "a finite number",
    "model_type": "a section with keys",
    "model_attributes_type": "a section with keys",
    "dict_type": "a section with keys",
    "too_short": "a list that is not empty",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
}
_NO_SUCH = object()


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: the dotted key it is about (empty for the whole recipe) and a sentence that names it."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a fault is: dotted key, the section it is in, and the field's description."""

    key: str
    section: type[Section]
    description: str


def find_faults(error: ValidationError, values: Any) -> list[Fault]:
    """Tells the faults that pydantic found in `values`, the plain values of a recipe."""
    faults, renamed = [], set()
    details = error.errors(include_url=False)
    for detail in details:
        if detail["type"] == "extra_forbidden":
            fault, meant = _unknown_key(_place(detail["loc"]), values)
            faults.append(fault)
            renamed.add(meant)
    for detail in details:
        place = _place(detail["loc"])
        misspelt = detail["type"] == "missing" and place.key in renamed  # the unknown key already says so
        if detail["type"] != "extra_forbidden" and not misspelt:
            faults.append(_fault(detail, place, values))
    # A list whose only element is wrong is not also too short.
    return [fault for fault in faults if not any(other.key.startswith(f"{fault.key}.0") for other in faults)]


def _place(loc: tuple[int | str, ...]) -> _Place:
    """Follows pydantic's location through the sections, dropping the `kind` steps from the key."""
    section: type[Section] = Recipe
    alternatives: list[type[Section]] = []
    parts: list[str] = []
    description = ""
    for step in loc:
        chosen = [alternative for alternative in alternatives if kind_of(alternative) == step]
        if len(alternatives) > 1 and chosen:
            section, alternatives = chosen[0], []
            continue
        if len(alternatives) == 1:
            section = alternatives[0]
        parts.append(str(step))
        field = section.model_fields.get(str(step))
        if field is not None:
            description = field.description or ""
        alternatives = [] if field is None else sections_in(field.annotation)
    return _Place(".".join(parts), section, description)


def _unknown_key(place: _Place, values: Any) -> tuple[Fault, str]:
    """A key that its section does not have, and the dotted key that was probably meant (empty if none is near)."""
    parent, _, name = place.key.rpartition(".")
    prefix = f"{parent}." if parent else ""
    # One wrong letter of two is half of them.
    near = get_close_matches(name, place.section.model_fields, n=1, cutoff=0.6 if len(name) > 3 else 0.5)
    meant = prefix + near[0] if near else _elsewhere(name)
    hint = f"; did you mean {meant}?" if meant else ""
    kind = kind_of(place.section)
    owner = (parent or "a recipe") + (f" of kind {kind}" if kind else "")
    keys = ", ".join(place.section.model_fields)
    shown = f" (= {_shown(_at(values, place.key))})"
    return Fault(place.key, f"{place.key}: unknown key{shown}{hint} {_capital(owner)} takes: {keys}"), meant


def _elsewhere(name: str) -> str:
    """The dotted key in another section that ends like `name`, empty if there is none."""
    by_last: dict[str, str] = {}
    for key in dotted_keys(Recipe):
        by_last.setdefault(key.rpartition(".")[2], key)
    near = get_close_matches(name, by_last, n=1, cutoff=0.75)
    return by_last[near[0]] if near else ""


def _fault(detail: Any, place: _Place, values: Any) -> Fault:
    """Any fault but an unknown key."""
    key, kind = place.key, detail["type"]
    about = f" ({place.description})" if place.description else ""
    if kind == "missing" or kind == "union_tag_not_found":
        return _missing(f"{key}.kind" if kind == "union_tag_not_found" else key, about, values)
    if kind == "union_tag_invalid":
        return _unknown_choice(f"{key}.kind", detail["ctx"]["tag"], detail["ctx"]["expected_tags"], about)
    if kind == "literal_error":
        return _unknown_choice(key, detail["input"], detail["ctx"]["expected"], about)
    if kind == "value_error":  # from a validator of ours, which names its keys itself
        return Fault(key, f"{key}.{detail['ctx']['error']}" if key else str(detail["ctx"]["error"]))
    plain = _PLAIN.get(kind)
    expected = plain.format(**detail.get("ctx", {})) if plain else detail["msg"].removeprefix("Input should be ")
    found = _at(values, key) if key else values
    return Fault(key, f"{key or 'the recipe'} = {_shown(found)}: expected {expected}{about}")


def _missing(key: str, about: str, values: Any) -> Fault:
    """A required key that is not there; a misspelt `kind` is the likely cause where a `kind` is missing."""
    parent, _, name = key.rpartition(".")
    given = _at(values, parent) if parent else values
    if name == "kind" and not isinstance(given, dict):
        return Fault(parent, f"{parent} = {_shown(given)}: expected a section with keys{about}")
    near = get_close_matches("kind", given, n=1) if name == "kind" else []
    if near:
        return Fault(f"{parent}.{near[0]}", f"{parent}.{near[0]}: unknown key; did you mean {key}?")
    return Fault(key, f"{key}: missing{about}")


def _unknown_choice(key: str, value: Any, expected: str, about: str) -> Fault:
    """A value that is none of the few that its key takes."""
    choices = [choice.strip("' ") for choice in expected.replace(" or ", ",").split(",")]
    near = get_close_matches(str(value), choices, n=1, cutoff=0.7)
    hint = f"; did you mean {near[0]}?" if near else ""
    return Fault(key, f"{key} = {_shown(value)}: expected {' or '.join(choices)}{about}{hint}")


def _at(values: Any, key: str) -> Any:
    """The value at a dotted key."""
    for part in key.split("."):
        if isinstance(values, dict):
            values = values.get(part, _NO_SUCH)
        elif isinstance(values, tuple) and part.isdecimal() and int(part) < len(values):
            values = values[int(part)]
        else:
            return _NO_SUCH
    return values


def _shown(value: Any) -> str:
    """A value, escaped and cut to a readable length."""
    text = "nothing" if value is _NO_SUCH else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _capital(text: str) -> str:
    """The text with its first letter in upper case if it is prose."""
    return text.capitalize() if text.startswith("a recipe") else text
