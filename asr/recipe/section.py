"""What all sections of a recipe share, and how to look into them by their types alone."""

from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field

FolderPath = Annotated[Path, Field(strict=False)]  # text becomes a path


class Section(BaseModel):
    """A group of keys in a recipe: frozen, no keys but its own, values of exactly the declared type.

    Values are strict: the text "5" is no number and the number 5.5 no count. A list in YAML is a tuple here.

    A part of the network that is chosen by its `kind` also says how its cost grows and whose idea it is; both, and the
    first line of its docstring, go into recipes/KINDS.md.
    """

    complexity: ClassVar[str]
    """How operations grow with T frames, S states and U tokens, such as "U · S"; of kinds only."""
    paper: ClassVar[str]
    """Author and year; of kinds only."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def sections_in(annotation: Any) -> list[type[Section]]:
    """The sections that a field may hold: none for a plain value, several where `kind` chooses among alternatives."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    if get_origin(annotation) is Annotated:
        return sections_in(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [section for part in get_args(annotation) for section in sections_in(part)]
    return []


def kind_of(section: type[Section]) -> str | None:
    """The value of `kind` that chooses this section among its alternatives; None if it has no `kind`."""
    field = section.model_fields.get("kind")
    return None if field is None else str(get_args(field.annotation)[0])


def dotted_keys(section: type[Section], prefix: str = "") -> list[str]:
    """All keys below a section, dotted, those of every alternative included, each once."""
    keys: dict[str, None] = {}
    for name, field in section.model_fields.items():
        keys[prefix + name] = None
        for inner in sections_in(field.annotation):
            keys.update(dict.fromkeys(dotted_keys(inner, f"{prefix}{name}.")))
    return list(keys)
