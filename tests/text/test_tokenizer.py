"""Tokens: special ids, round trips, clear refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.text.normalize import normalize
from asr.text.tokenizer import Tokenizer

TEXTS = ["the cat sat on the mat", "a dog's life", "cats and dogs", "Mats for CATS", "it's on"] * 3
ALPHABET = "acdefghilmnorst' "


@pytest.fixture(scope="module", params=[("char", None), ("unigram", 24), ("bpe", 30)], ids=lambda p: p[0])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return Tokenizer.train(TEXTS, *request.param)


@given(text=st.text(ALPHABET))
def test_known_letters_come_back(tokenizer: Tokenizer, text: str) -> None:
    tokens = tokenizer.encode(text)
    assert tokenizer.decode(tokens) == normalize(text)
    assert all(tokenizer.unk < token < tokenizer.n_tokens for token in tokens)
    assert not {tokenizer.blank, tokenizer.sos, tokenizer.eos} & set(tokens)


def test_special_tokens_vanish_and_unknown_letters_are_seen(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.encode("cat")
    assert tokenizer.decode([tokenizer.sos, *tokens, tokenizer.eos, tokenizer.blank]) == "cat"
    assert tokenizer.unk in tokenizer.encode("ж")
    assert tokenizer.decode([]) == ""


def test_the_same_text_gives_the_same_model(tokenizer: Tokenizer, tmp_path) -> None:
    (tmp_path / "t.model").write_bytes(tokenizer.model)
    assert Tokenizer.load(tmp_path / "t.model").model == tokenizer.model
    assert Tokenizer.train(reversed(TEXTS), "char").model == Tokenizer.train(TEXTS, "char").model


def test_character_vocabulary_is_the_alphabet_of_the_text() -> None:
    tokenizer = Tokenizer.train(["ab", "BA c"], "char")
    assert sorted(tokenizer.pieces(range(4, tokenizer.n_tokens))) == ["a", "b", "c", "▁"]


@pytest.mark.parametrize(
    ("texts", "size", "match"), [(["", "  "], 30, "all transcripts are empty"), (["ab"], 500, "vocab_size 500")]
)
def test_impossible_vocabularies_are_refused(texts: list[str], size: int, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Tokenizer.train(texts, "unigram", size)


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ValueError, match="not a sentencepiece model"):
        Tokenizer(b"something else")


@given(data=st.data())
def test_words_are_those_of_the_text(tokenizer: Tokenizer, data: st.DataObject) -> None:
    tokens = data.draw(st.lists(st.integers(0, tokenizer.n_tokens - 1), max_size=20))
    words = tokenizer.words(tokens)
    assert [text for text, _ in words] == tokenizer.decode(tokens).split()
    places = [place for _, places in words for place in places]
    assert places == sorted(set(places)), "no token is in two words, and words are in order"
    spelling = {place for place, piece in enumerate(tokenizer.pieces(tokens)) if piece != "▁" and tokens[place] != 0}
    assert spelling - set(places) <= {place for place, token in enumerate(tokens) if token in (2, 3)}
