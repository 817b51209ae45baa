"""Tokenizer and token counts are made once per experiment, from a sample where the corpus is large."""

from pathlib import Path

import pytest

from asr import build as build_room
from asr.corpora.index import no_bar
from asr.corpora.manifest import Utterance, write_manifest
from asr.corpora.utterances import Utterances
from asr.recipe.load import load_recipe
from asr.recipe.schema import Recipe
from asr.recognizer import tokens as tokens_room
from asr.recognizer.tokens import Tokens, tokens_of
from asr.text.tokenizer import Tokenizer

WORDS = ["the", "cat", "sat", "on", "a", "mat", "dogs", "bark"]


def corpus(path: Path, n: int = 60) -> Utterances:
    texts = [" ".join(WORDS[(n * k) % 8] for k in range(1 + n % 5)) for n in range(n)]
    texts[n // 2] += " Ж"
    rows = [Utterance(f"u{i}", path / "a.wav", 0.0, 1.0, text, "s", "en") for i, text in enumerate(texts)]
    write_manifest(path / "m.jsonl", rows)
    return Utterances([path / "m.jsonl"])


def recipe_of(folder: Path, tokenizer: str = "{kind: unigram, vocab_size: 26}", seed: int = 1) -> Recipe:
    (folder / "r.yaml").write_text(f"""
data: {{train: [m.jsonl], dev: [m.jsonl]}}
tokenizer: {tokenizer}
model: {{listener: {{kind: pyramid}}, attention: {{kind: additive}}, speller: {{kind: lstm}}}}
training: {{seed: {seed}}}
""")
    return load_recipe(folder / "r.yaml")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Tokenizer]:
    """The tokenizers that were trained."""
    found: list[Tokenizer] = []
    build = tokens_room.build_vocabulary

    def counted(*given: object) -> Tokenizer:
        found.append(build(*given))
        return found[-1]

    monkeypatch.setattr(tokens_room, "build_vocabulary", counted)
    return found


def take(folder: Path, recipe: Recipe, train: Utterances, keep: bool = True) -> Tokens:
    return tokens_of(folder / "vocabulary", recipe, train, no_bar, keep=keep)


def test_they_are_made_once_and_kept(tmp_path: Path, made: list[Tokenizer]) -> None:
    train, recipe = corpus(tmp_path), recipe_of(tmp_path)
    first, second = take(tmp_path, recipe, train), take(tmp_path, recipe, train)
    assert len(made) == 1
    assert first.vocabulary.model == second.vocabulary.model
    assert first.counts.tolist() == second.counts.tolist()
    assert first.counts.tolist() == [len(first.vocabulary.encode(row.text)) for row in train]
    assert first.vocabulary.model == Tokenizer.train([row.text for row in train], "unigram", 26).model


def test_without_keeping_nothing_is_written(tmp_path: Path, made: list[Tokenizer]) -> None:
    train, recipe = corpus(tmp_path), recipe_of(tmp_path)
    before = set(tmp_path.iterdir())
    take(tmp_path, recipe, train, keep=False)
    assert set(tmp_path.iterdir()) == before


def test_another_recipe_or_set_makes_them_anew(tmp_path: Path, made: list[Tokenizer]) -> None:
    train = corpus(tmp_path)
    take(tmp_path, recipe_of(tmp_path), train)
    take(tmp_path, recipe_of(tmp_path, "{kind: char}"), train)
    take(tmp_path, recipe_of(tmp_path, "{kind: char}"), corpus(tmp_path, 61))
    assert len(made) == 3
    assert len(take(tmp_path, recipe_of(tmp_path, "{kind: char}"), corpus(tmp_path, 61)).counts) == 61
    assert len(made) == 3


@pytest.mark.parametrize("name", ["tokenizer.model", "n_tokens.npy", "about.json", "MANIFEST.json"])
def test_damaged_ones_are_made_anew(tmp_path: Path, made: list[Tokenizer], name: str) -> None:
    train, recipe = corpus(tmp_path), recipe_of(tmp_path)
    counts = take(tmp_path, recipe, train).counts.tolist()
    path = tmp_path / "vocabulary" / name
    path.write_bytes(path.read_bytes()[:-1])
    assert take(tmp_path, recipe, train).counts.tolist() == counts
    assert len(made) == 2
    take(tmp_path, recipe, train)
    assert len(made) == 2


@pytest.mark.parametrize("settings", ["{kind: char}", "{kind: unigram, vocab_size: 24}", "{kind: bpe, vocab_size: 24}"])
def test_of_a_large_corpus_a_sample_is_enough_and_no_character_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str
) -> None:
    train = corpus(tmp_path, 400)
    asked: set[int] = set()
    real = Utterances.__getitem__
    monkeypatch.setattr(Utterances, "__getitem__", lambda self, index: asked.add(index) or real(self, index))
    monkeypatch.setattr(build_room, "LEARNS_FROM", 20)
    one, other = (build_room.build_vocabulary(recipe_of(tmp_path, settings, seed), train) for seed in (1, 2))
    again = build_room.build_vocabulary(recipe_of(tmp_path, settings, 1), train)
    assert one.model == again.model
    assert len(asked) <= 40
    assert min(asked) < 40
    assert max(asked) >= 360
    for tokenizer in (one, other):
        assert not any(Tokenizer.unk in tokenizer.encode(real(train, index).text) for index in range(400))
    monkeypatch.setattr(build_room, "LEARNS_FROM", 400)
    whole = Tokenizer.train([row.text for row in train], **recipe_of(tmp_path, settings).tokenizer.model_dump())
    assert build_room.build_vocabulary(recipe_of(tmp_path, settings), train).model == whole.model
