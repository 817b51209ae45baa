"""Language models are taken into a search, or refused with their name and the recogniser's."""

from pathlib import Path

import pytest
import yaml
from tones import write_corpus, write_recipe

import asr
from asr.audio.read import read_audio
from asr.recipe.load import load_recipe
from asr.recognizer.estimate_ngram import estimate_ngram
from asr.recognizer.language_models import LanguageModelError, load_lm, load_ngram
from asr.recognizer.train import train_recipe
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


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A recogniser, a language model and an n-gram model of its tokens, hardly trained."""
    folder = tmp_path_factory.mktemp("models")
    manifest, text = write_corpus(folder / "tones", ["ab", "b a", "cab", "dab a"]), folder / "text.txt"
    few = {"n_steps": 2, "warmup_steps": 1, "validate_every": 2, "checkpoint_every": 2}
    recogniser = train_recipe(load_recipe(write_recipe(folder / "r.yaml", manifest, **few)), folder / "asr")
    text.write_text("ab\nba ba\ndab a cab\n")
    values = {
        "task": {"kind": "language_model"},
        "data": {"train": [str(text)], "dev": [str(text)], "batch_tokens": 100, "n_workers": 0},
        "tokenizer": {"kind": "trained", "folder": str(recogniser)},
        "model": {"speller": {"kind": "lstm", "d_embedding": 4, "d_hidden": 8}},
        "training": {**few, "device": "cpu"},
    }
    (folder / "lm.yaml").write_text(yaml.safe_dump(values))
    lm = train_recipe(load_recipe(folder / "lm.yaml"), folder / "lm")
    estimate_ngram([text], recogniser, 3, folder / "3.arpa")
    return {"asr": recogniser, "lm": lm, "ngram": folder / "3.arpa", "audio": folder / "tones" / "u2.wav"}


def test_a_search_takes_all_of_them_and_one_of_weight_0_is_absent(models: dict[str, Path]) -> None:
    def scores(*search: str) -> dict[str, float]:
        recognizer = asr.Recognizer.load(models["asr"], device="cpu", search=search)
        samples = read_audio(models["audio"])
        return recognizer.search(*recognizer.listen([samples]))[0].scores

    given = [f"lm={models['lm']}", f"ngram={models['ngram']}"]
    assert set(scores()) == set(scores(*given, "lm_weight=0", "ngram_weight=0")) == {"attention", "length", "ctc"}
    found = scores(*given, "internal_lm_weight=0.1")
    assert set(found) == {"attention", "length", "ctc", "lm", "ngram", "internal_lm"}
    assert set(scores(*given, "method=rescore")) == {"attention", "length", "ctc", "lm", "ngram"}


def test_a_language_model_must_be_one_and_speak_the_recognisers_tokens(models: dict[str, Path], tmp_path: Path) -> None:
    tokenizer = Tokenizer.load(models["asr"] / "tokenizer.model")
    with pytest.raises(LanguageModelError, match=f"search.lm = {tmp_path}/no: no such folder; .* for {models['asr']}"):
        load_lm(tmp_path / "no", models["asr"], tokenizer)
    with pytest.raises(LanguageModelError, match=f"a model trained to transcribe, but {models['asr']} asks a lang"):
        load_lm(models["asr"], models["asr"], tokenizer)
    other = Tokenizer.train(["abc de"], "char")
    fault = rf"search.lm = {models['lm']}: its tokens are not those of .* exp/x/best: token \d+ is"
    with pytest.raises(LanguageModelError, match=fault):
        load_lm(models["lm"], Path("exp/x/best"), other)
