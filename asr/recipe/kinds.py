"""Every part of the network that a recipe can choose by `kind`, found in the types of the sections alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from asr.recipe.model_section import WITH_OWN_ATTENTION, ModelSection
from asr.recipe.section import Section, kind_of, sections_in

# The network in which each kind is put in its place: of every other part this kind, else the first there is.
COMMON_KINDS = {"listener": "conv_blstm", "attention": "additive", "speller": "lstm"}
# Fields that have one size in all kinds; others keep their defaults.
COMMON_SIZES = {
    "d_hidden": 256,
    "d_projection": 256,
    "d_attention": 256,
    "d_model": 256,
    "d_feed_forward": 1024,
    "d_embedding": 128,
}


@dataclass(frozen=True)
class Kind:
    """One of the alternatives for a part of the network.

    Attributes:
        part: Name of the field that it may be the value of, such as "listener".
        name: Its `kind`.
        section: Its section.
        model: Plain values of a recipe's `model` section that have it, all else being common.
    """

    part: str
    name: str
    section: type[Section]
    model: dict[str, Any]

    @property
    def purpose(self) -> str:
        """What it is: the first line of its section's docstring."""
        return (self.section.__doc__ or "").partition("\n")[0]


def all_kinds() -> list[Kind]:
    """Every kind of every part once, in the order of the sections' fields; parts within parts after those."""
    found: dict[tuple[str, str], Kind] = {}
    for part, section, model in _alternatives(ModelSection):
        name = kind_of(section)
        if name is not None:
            if model["speller"]["kind"] in WITH_OWN_ATTENTION:
                model = {field: values for field, values in model.items() if field != "attention"}
            found.setdefault((part, name), Kind(part, name, section, model))
    parts = list(dict.fromkeys(part for part, _ in found))
    return [kind for part in parts for kind in found.values() if kind.part == part]


def _alternatives(section: type[Section]) -> Iterator[tuple[str, type[Section], dict[str, Any]]]:
    """Field, section that it may hold, and values of `section` that hold it; whatever is nested after its holder."""
    nested = []
    for field, info in section.model_fields.items():
        for choice in sections_in(info.annotation):
            yield field, choice, {**common_values(section), field: common_values(choice)}
            for part, inner, values in _alternatives(choice):
                nested.append((part, inner, {**common_values(section), field: values}))
    yield from nested


def common_values(section: type[Section]) -> dict[str, Any]:
    """Values of a section: its `kind`, common kinds and sizes, and nothing that has a default of its own."""
    values: dict[str, Any] = {}
    for field, info in section.model_fields.items():
        choices = sections_in(info.annotation)
        if field == "kind":
            values[field] = kind_of(section)
        elif choices and (info.is_required() or field in COMMON_KINDS):
            common = [choice for choice in choices if kind_of(choice) == COMMON_KINDS.get(field)]
            values[field] = common_values((common or choices)[0])
        elif field in COMMON_SIZES and not choices:
            values[field] = COMMON_SIZES[field]
    return values
