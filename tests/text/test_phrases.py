import re
from pathlib import Path

import pytest

from asr.text.phrases import Phrase, PhraseError, read_phrases
from asr.text.tokenizer import Tokenizer

ALPHABET = frozenset("abcdeé' ")


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "phrases.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_lines_become_phrases_as_texts_are_normalised(tmp_path: Path) -> None:
    path = written(
        tmp_path, "\ufeffAbe  Dec \t2.5\r\n\n \t\nCAFÉ\u2028bad\n\tabe dec\t3\n".replace("F", "d").replace("\n\t", "\n")
    )
    assert read_phrases(path, ALPHABET) == [Phrase("abe dec", 3.0), Phrase("cadé bad", 1.0)]
    assert read_phrases(written(tmp_path, "\n"), ALPHABET) == []


def test_every_fault_is_told_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "abe\nJoan\nbad\tx\n\t2\nbad\t-1\ncab\tinf\n")
    with pytest.raises(PhraseError) as error:
        read_phrases(path, ALPHABET)
    expected = [
        "2: phrase 'joan': the model has no token for j n o",
        "3: weight 'x': expected a number above 0",
        "4: a weight without a phrase",
        "5: weight '-1': expected a number above 0",
        "6: weight 'inf': expected a number above 0",
    ]
    assert str(error.value).splitlines() == [f"{path}:{line}" for line in expected]


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PhraseError, match=re.escape(f"{tmp_path / 'phrases.txt'}: not UTF-8 text: byte 1")):
        read_phrases(written(tmp_path, b"a\xff"), ALPHABET)


@pytest.mark.parametrize(("kind", "size"), [("char", None), ("unigram", 20), ("bpe", 30)])
def test_an_alphabet_is_what_a_tokenizer_can_write(kind: str, size: int | None) -> None:
    text = "the cat sat on the mat's café"
    tokenizer = Tokenizer.train([text, "the cat's mat", "the cafés", "on that mat", "sat on cats"], kind, size)
    assert tokenizer.alphabet == frozenset(text)
    surfaces = tokenizer.surfaces()
    assert [surfaces[special] for special in (tokenizer.blank, tokenizer.sos, tokenizer.eos)] == [""] * 3
    assert surfaces[tokenizer.unk].strip()
    tokens = [*tokenizer.encode(text), tokenizer.unk, *tokenizer.encode("the mat")]
    assert " ".join("".join(surfaces[token] for token in tokens).split()) == " ".join(tokenizer.decode(tokens).split())
