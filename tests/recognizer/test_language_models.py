"""Language models are taken into a search, or refused with their name and the recogniser's."""

from pathlib import Path

import pytest

from asr.recognizer.language_models import LanguageModelError, load_ngram
from asr.text.arpa import ArpaError
from asr.text.tokenizer import Tokenizer

ARPA = "\\data\\\nngram 1={n}\n\n\\1-grams:\n{rows}\n\\end\\\n"


def write_arpa(path: Path, words: str) -> Path:
    path.write_text(ARPA.format(n=len(words.split()), rows="".join(f"-1\t{word}\n" for word in words.split())))
    return path


def test_an_ngram_model_must_be_there_and_speak_the_recognisers_tokens(tmp_path: Path) -> None:
    tokenizer, folder = Tokenizer.train(["ab", "b a"], "char"), Path("exp/mini/best")
    model = load_ngram(write_arpa(tmp_path / "good.arpa", "<s> </s> ▁ a b"), folder, tokenizer)
    assert model.order == 1
    with pytest.raises(LanguageModelError, match=r"search.ngram = .*no.arpa: no such file; `asr lm` .* exp/mini/best"):
        load_ngram(tmp_path / "no.arpa", folder, tokenizer)
    wrong = write_arpa(tmp_path / "words.arpa", "<s> </s> the a")
    with pytest.raises(LanguageModelError, match=r"words.arpa:7: 'the' is no token of the recogniser exp/mini/best"):
        load_ngram(wrong, folder, tokenizer)
    twice = tmp_path / "twice.arpa"
    twice.write_text(ARPA.format(n="1\nngram 2=2", rows="-1\ta\n\n\\2-grams:\n-1\ta a\n-1\ta a\n"))
    with pytest.raises(ArpaError, match=r"twice.arpa: n-gram 'a a': is there twice"):
        load_ngram(twice, folder, tokenizer)
