"""Training language models for real, on a made text: they learn, resume with equal bits, and are scored."""

import gzip
import json
import math
from pathlib import Path

import pytest
import torch
import yaml
from runs import hashes, train_killed

import asr
from asr.corpora.sentences import Sentences
from asr.dataset.plan import DataError
from asr.models.language_models.language_model import LanguageModel
from asr.models.objective import text_loss
from asr.ranks.group import Ranks
from asr.recipe.load import RecipeError, load_recipe
from asr.recognizer.dry_run import dry_run
from asr.recognizer.inspect import inspect
from asr.recognizer.perplexity import TextModel, perplexity
from asr.recognizer.report import report
from asr.recognizer.task_error import TaskError
from asr.recognizer.train import train_recipe
from asr.recognizer.trained import evaluate_trained, load_trained
from asr.text.sentences import TextError
from asr.text.tokenizer import Tokenizer
from asr.training.checkpoint import CheckpointError, write_directory, writer

SENTENCES = [
    f"{who} {does} {what}" for who in ("ann", "bo") for does in ("sees", "hears") for what in ("bo", "ann", "it")
]
SPELLERS = {
    "lstm": {"kind": "lstm", "d_embedding": 8, "d_hidden": 24, "n_layers": 2},
    "transformer": {"kind": "transformer", "d_model": 16, "n_layers": 2, "n_heads": 2, "d_feed_forward": 32},
}


def write_text(folder: Path) -> Path:
    path = folder / "text.txt.gz"
    path.write_bytes(gzip.compress(("\n\n".join(SENTENCES) + "\n").encode()))
    return path


def write_recipe(folder: Path, speller: str = "lstm", **training: object) -> Path:
    text = str(write_text(folder))
    schedule = {"n_steps": 150, "warmup_steps": 5, "peak_lr": 2e-2, "validate_every": 50, "checkpoint_every": 20}
    values = {
        "task": {"kind": "language_model"},
        "data": {"train": [text], "dev": [text], "batch_tokens": 120, "n_buckets": 2, "n_workers": 0},
        "tokenizer": {"kind": "char"},
        "model": {"speller": SPELLERS[speller]},
        "objective": {"label_smoothing": 0.0},
        "training": {**schedule, "average_best": 1, "device": "cpu", **training},
    }
    path = folder / "lm.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture(scope="module", params=SPELLERS)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lm")
    return train_recipe(load_recipe(write_recipe(folder, request.param, ema_decay=0.9)), folder / "run")


def test_it_learns_what_can_be_foreseen(trained: Path, tmp_path: Path) -> None:
    """Twelve equally likely sentences: no model does better than log 12 nats a sentence."""
    model = load_trained(trained)
    assert isinstance(model, TextModel)
    found = evaluate_trained(model, write_text(tmp_path), tmp_path / "out", Ranks(), lambda done, total: None)
    best = math.log(12) * len(SENTENCES)
    assert best < -found.log_prob < 1.6 * best
    assert found.n_words == sum(len(sentence.split()) + 1 for sentence in SENTENCES)
    assert found.per_word == pytest.approx(math.exp(-found.log_prob / found.n_words))
    assert json.loads((tmp_path / "out" / "results.json").read_text())["per_token"] == found.per_token
    rows = [json.loads(line) for line in (trained.parent / "metrics.jsonl").read_text().splitlines()]
    assert [row["perplexity"] for row in rows if row["group"] == "average"] == [pytest.approx(found.per_token)]
    assert all(row["tokens_per_s"] > 0 and row["peak_share"] > 0 for row in rows if row["group"] == "train")
    assert f"dev perplexity {found.per_token:.3f}" in (trained.parent / "train.log").read_text()
    page = report([trained.parent], tmp_path / "report.html").read_text()
    assert f"{found.per_token:.3f}" in page and "asr evaluate --model" in page
    assert {path.name for path in trained.iterdir()} == {
        "recipe.yaml",
        "tokenizer.model",
        "model.safetensors",
        "MANIFEST.json",
    }


def test_its_perplexity_is_that_of_every_token_by_itself_in_any_batch(trained: Path, tmp_path: Path) -> None:
    loaded = load_trained(trained)
    assert isinstance(loaded, TextModel)
    model, tokenizer = loaded.model.double(), loaded.tokenizer
    sentences = Sentences([write_text(tmp_path)], "en")
    total = 0.0
    for sentence in SENTENCES:
        state, last = model.start(1, 1), tokenizer.sos
        for token in [*tokenizer.encode(sentence), tokenizer.eos]:
            with torch.no_grad():
                log_probs, state = model.step(torch.tensor([[last]]), state)
            total, last = total + log_probs[0, 0, token].item(), token
    for batch_tokens in (1, 50, 10_000):
        found = perplexity(model, tokenizer, sentences, batch_tokens, Ranks())
        assert found.log_prob == pytest.approx(total, abs=1e-9)
        assert found.n_tokens == sum(len(tokenizer.encode(sentence)) + 1 for sentence in SENTENCES)


def test_padding_does_not_count(trained: Path) -> None:
    loaded = load_trained(trained)
    assert isinstance(loaded, TextModel)
    tokens, lens = torch.tensor([[4, 5, 6, 0], [5, 0, 0, 0]]), torch.tensor([3, 1])
    history = torch.nn.functional.pad(tokens, (1, 0), value=2)
    with torch.no_grad():
        logits = loaded.model(history)
        loss = text_loss(logits, tokens, lens, 3, 0.1)
        logits[0, 4:], logits[1, 2:] = torch.nan, torch.nan
        again = text_loss(logits, tokens.masked_fill(tokens == 0, 7), lens, 3, 0.1)
    assert loss.joint == again.joint and int(loss.n_tokens) == 6


def test_a_killed_run_ends_with_the_bits_of_an_unbroken_one(tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path, n_steps=8, validate_every=4, checkpoint_every=2, ema_decay=0.5))
    train_recipe(recipe, tmp_path / "unbroken")
    train_killed(recipe, tmp_path / "killed", [5])
    assert hashes(tmp_path / "killed") == hashes(tmp_path / "unbroken")


def test_it_takes_the_tokens_of_a_recogniser(tmp_path: Path) -> None:
    tokenizer = Tokenizer.train([*SENTENCES, "xyz"], "bpe", 30)
    write_directory(tmp_path / "best", {"tokenizer.model": writer(tokenizer.model)})
    schedule = [
        "training.n_steps=2",
        "training.warmup_steps=1",
        f"tokenizer={{kind: trained, folder: {tmp_path}/best}}",
    ]
    recipe = load_recipe(write_recipe(tmp_path), schedule)
    folder = train_recipe(recipe, tmp_path / "run")
    assert (folder / "tokenizer.model").read_bytes() == tokenizer.model
    (tmp_path / "best" / "tokenizer.model").unlink()
    train_recipe(recipe, tmp_path / "run")  # kept with the experiment
    with pytest.raises(CheckpointError, match="best: no tokenizer.model there; expected EXP/best"):
        train_recipe(recipe, tmp_path / "other")


def test_what_it_will_cost_is_told_in_tokens(tmp_path: Path) -> None:
    found = dry_run(load_recipe(write_recipe(tmp_path)), tmp_path / "run")
    assert found.n_utterances == len(SENTENCES) and not (tmp_path / "run").exists()
    assert "12 sentences" in found.report and "tokens per second" in found.report and "audio" not in found.report


def test_lines_are_named_by_file_and_number(tmp_path: Path) -> None:
    path = write_text(tmp_path)
    sentences = Sentences([path, path], "en")
    assert len(sentences) == 24 and [each.text for each in sentences][:12] == SENTENCES
    assert sentences[1].id == f"{path}:3" and sentences[12].id == f"{path}:1" and sentences.alphabet == "abehinorst"
    with pytest.raises(
        DataError, match=r"12 sentences have more tokens than data.batch_tokens = 5: .*text.txt.gz:1 \("
    ):
        train_recipe(load_recipe(write_recipe(tmp_path), ["data.batch_tokens=5"]), tmp_path / "run")
    for name, fault in (("a.jsonl", "a manifest"), ("b.txt", "no sentence in it")):
        (tmp_path / name).write_text("")
        with pytest.raises(TextError, match=fault):
            Sentences([tmp_path / name], "en")


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("data.batch_tokens=null", "data.batch_tokens: missing"),
        ("data.batch_s=3.0", "data.batch_s: leave it out; task.kind = language_model hears nothing"),
        ("search.beam_size=3", "search.beam_size: leave it out"),
        ("objective.ctc_weight=0.5", "objective.ctc_weight: leave it out"),
        ("model.attention={kind: additive}", "model.attention: leave it out"),
        ("model={listener: {kind: conv_blstm}, speller: {kind: transformer}}", "model.listener: leave it out"),
        ("model.speller.kind=parallel_lstm", "expected lstm or transformer of a language model"),
        ("training.stages=[{until_step: 5}]", "training.stages: leave it out"),
        ("tokenizer=null", "tokenizer: missing; task.kind = language_model writes text"),
        ("task={kind: transcribe}", "model.listener: missing; task.kind = transcribe listens"),
    ],
)
def test_keys_without_a_meaning_are_refused(tmp_path: Path, override: str, fault: str) -> None:
    with pytest.raises(RecipeError, match=fault):
        load_recipe(write_recipe(tmp_path), [override])


def test_other_commands_say_what_it_is(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="is a language model; a recogniser's search takes it"):
        asr.Recognizer.load(trained)
    with pytest.raises(TaskError, match="it hears nothing"):
        inspect(load_trained(trained), tmp_path / "a.wav", tmp_path / "a.png")
    assert isinstance(load_trained(trained).model, LanguageModel)
