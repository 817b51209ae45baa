"""Plain values from YAML, without YAML's surprises and without its powers.

The plain scalars are those of YAML 1.2: `1e-3` is a number, `on` is text, `010` is ten. Refused are keys given twice
(PyYAML keeps the last), anchors and aliases (they can grow without bound), and tags (they construct objects).
"""

import re
from dataclasses import dataclass
from typing import Any

import yaml

MAX_DEPTH = 50

_PREFIX = "tag:yaml.org,2002:"
_SCALARS = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
}


class YamlError(ValueError):
    """Text that is not the YAML we take; `line` counts from one and is 0 where there is none."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML text: its value (dict, tuple, str, int, float, bool, None) and the line of each dotted key."""

    value: Any
    lines: dict[str, int]


class _Loader(yaml.SafeLoader):
    """Composes nodes with the scalars of YAML 1.2, refuses aliases and tags; it never constructs anything."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        line = event.start_mark.line + 1
        if getattr(event, "anchor", None):  # an alias names its anchor, too
            raise YamlError("anchors and aliases are not taken; write the value out", line)
        if getattr(event, "tag", None):
            raise YamlError(f"tag {event.tag!r} is not taken; a recipe holds plain values", line)
        return super().compose_node(parent, index)


for _name, _pattern in _SCALARS.items():
    _Loader.add_implicit_resolver(_PREFIX + _name, re.compile(rf"(?:{_pattern})\Z"), None)


def read_yaml(text: str) -> Document:
    """Reads one YAML document.

    Raises:
        YamlError: the text is not YAML, or uses what is not taken here; with the line.
    """
    try:
        node = yaml.compose(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(f"not YAML: {error.problem or error.context}", mark.line + 1 if mark else 0) from None
    except yaml.YAMLError as error:
        raise YamlError(f"not YAML: {error}") from None
    except RecursionError:
        raise YamlError("nested too deeply") from None
    lines: dict[str, int] = {}
    return Document(None if node is None else _value(node, (), lines), lines)


def _value(node: yaml.Node, path: tuple[str, ...], lines: dict[str, int]) -> Any:
    """The plain value of a node; notes the lines of its keys on the way."""
    line = node.start_mark.line + 1
    if len(path) > MAX_DEPTH:
        raise YamlError("nested too deeply", line)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return tuple(_value(child, (*path, str(index)), lines) for index, child in enumerate(node.value))
    return _scalar(node, line)


def _mapping(node: yaml.MappingNode, path: tuple[str, ...], lines: dict[str, int]) -> dict[str, Any]:
    """A mapping whose keys are text and occur once."""
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise YamlError("a key must be plain text", line)
        key = key_node.value
        dotted = ".".join((*path, key))
        if key in values:
            raise YamlError(f"{dotted}: key given twice, first in line {lines[dotted]}", line)
        lines[dotted] = line
        values[key] = _value(value_node, (*path, key), lines)
    return values


def _scalar(node: yaml.Node, line: int) -> str | int | float | bool | None:
    """Text, number, truth value or nothing, as YAML 1.2 reads them."""
    text = node.value
    try:
        match node.tag.removeprefix(_PREFIX):
            case "null":
                return None
            case "bool":
                return bool(text.lower() == "true")
            case "int":
                return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
            case "float":
                return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        raise YamlError(f"not a number: {text[:40]!r} …", line) from None
    return str(text)
