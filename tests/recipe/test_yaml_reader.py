import contextlib
import math
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from asr.recipe.yaml_reader import YamlError, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("-.5", -0.5),
        ("1.", 1.0),
        (".inf", math.inf),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1:30", "1:30"),
        ("10_000", "10_000"),
        ("on", "on"),
        ("no", "no"),
        ("true", True),
        ("False", False),
        ("", None),
        ("~", None),
        ("2024-01-01", "2024-01-01"),
        ('"1e-3"', "1e-3"),
        ("[1, [2]]", (1, (2,))),
        ("{a: {b: 1}, <<: 2}", {"a": {"b": 1}, "<<": 2}),
    ],
)
def test_plain_values(text, value):
    read = read_yaml(text).value
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: {c: 1, c: 2}", "b.c: key given twice"),
        ("a: &x [1]\nb: *x", "anchors and aliases"),
        ("a: !!python/object/apply:os.system [ls]", "tag"),
        ("!!set {a}", "tag"),
        ("!!bool x", "tag"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 60 + "]" * 60, "nested too deeply"),
        ("9" * 5000, "not a number"),
        ("{[1]: 2}", "a key must be plain text"),
        ("--- 1\n--- 2", "not YAML"),
        ("a: \x00", "not YAML"),
    ],
)
def test_what_is_refused(text, words):
    with pytest.raises(YamlError, match=words):
        read_yaml(text)


def test_lines():
    assert read_yaml("a:\n  b: 1\n\nc: [x]\n").lines == {"a": 1, "a.b": 2, "c": 4}


# PyYAML follows YAML 1.1, in which these are texts and need no quotes; in YAML 1.2, and here, they are numbers.
NUMBERS_OF_1_2 = re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+|0o[0-7]+|0[0-9]*[89][0-9]*")
TEXTS = st.text().filter(lambda text: not NUMBERS_OF_1_2.fullmatch(text))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
        lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=8,
    )
)
def test_reads_back_what_pyyaml_writes(value):
    def listed(part):
        if isinstance(part, dict):
            return {key: listed(inner) for key, inner in part.items()}
        return [listed(inner) for inner in part] if isinstance(part, tuple) else part

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data):
            return True

    assert read_yaml(yaml.dump(listed(value), Dumper=Plain)).value == value


@given(st.text(alphabet="ab:{}[]-#&*!|>'\"%@ \n\t01.e", max_size=40))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(YamlError):
        read_yaml(text)
