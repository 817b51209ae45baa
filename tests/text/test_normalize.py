from hypothesis import given
from hypothesis import strategies as st

from asr.text.normalize import normalize


def test_known_cases() -> None:
    assert normalize("  HELLO\tWorld\n") == "hello world"
    assert normalize("It's TEN o'clock, St. John's-wood") == "it's ten o'clock, st. john's-wood"
    assert normalize(" \r\n\u3000") == ""


@given(st.text())
def test_normalizing_twice_changes_nothing_and_words_stay(text: str) -> None:
    once = normalize(text)
    assert normalize(once) == once
    assert once.split() == text.lower().split()
