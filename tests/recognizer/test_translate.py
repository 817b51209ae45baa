"""Translating for real, on tones: the target is another key of the manifest, and the speller writes it without CTC."""

import json
from pathlib import Path

import pytest
from tones import write_corpus, write_recipe

from asr.corpora.manifest import ManifestError
from asr.recipe.load import RecipeError, load_recipe
from asr.recognizer.evaluate import evaluate
from asr.recognizer.inspect import inspect
from asr.recognizer.recognizer import Recognizer
from asr.recognizer.report import report
from asr.recognizer.train import train_recipe
from asr.training.tensors import load_tensors

WORDS = {"a": "ja", "b": "nein", "c": "ei"}
TEXTS = ["a b c a", "b c b a", "c", "a a b b", "c b a c"]
PLAIN = ["augment={speeds: [1.0], spec_augment: null}", "model.listener.dropout=0.0", "model.speller.dropout=0.0"]
NO_CTC = ["objective={ctc_weight: 0.0, label_smoothing: 0.0}", "search.ctc_weight=0.0", "tokenizer={kind: char}"]
TASK = "task={kind: translate, target: german}"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_corpus(tmp_path_factory.mktemp("tones"), TEXTS)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [row | {"german": " ".join(WORDS[word] for word in row["text"].split())} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def trained(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    schedule = {"n_steps": 240, "warmup_steps": 20, "peak_lr": 1e-2, "validate_every": 80, "checkpoint_every": 80}
    recipe = load_recipe(write_recipe(folder / "r.yaml", manifest, **schedule), [TASK, *NO_CTC, *PLAIN])
    return train_recipe(recipe, folder / "run")


def test_it_learns_and_is_scored_by_bleu(trained: Path, manifest: Path, tmp_path: Path) -> None:
    found = evaluate(Recognizer.load(trained), manifest, tmp_path / "out")
    assert found.report.startswith("BLEU 100.00 ± 0.00  nrefs:1|bs:1000|seed:12345|case:lc|")
    assert "\nchrF2 100.00  nrefs:1|case:lc|" in found.report
    assert (tmp_path / "out" / "hyp.trn").read_text().splitlines()[0] == "ja nein ei ja (s-0)"
    kept = json.loads((tmp_path / "out" / "results.json").read_text())["about"]["translation"]
    assert kept["bleu"] == pytest.approx(100.0) and "tok:13a" in kept["bleu_signature"]
    metrics = [json.loads(line) for line in (trained.parent / "metrics.jsonl").read_text().splitlines()]
    looks = [row for row in metrics if row["group"] == "dev"]
    assert looks[-1]["chrf_gap"] == 0.0 and looks[0]["chrf_gap"] > 0.1 and looks[-1]["bleu"] == pytest.approx(100.0)
    assert "100 - chrF" in report([trained.parent], tmp_path / "report.html").read_text()


def test_it_writes_the_other_language_and_shows_where_it_listened(
    trained: Path, manifest: Path, tmp_path: Path
) -> None:
    recognizer = Recognizer.load(trained)
    assert recognizer.transcribe(manifest.parent / "u1.wav").text == "nein ei nein ja"
    inspect(recognizer, manifest.parent / "u1.wav", tmp_path / "heard.png")
    assert (tmp_path / "heard.png").stat().st_size > 10_000


def test_there_is_no_ctc_where_it_has_no_weight(trained: Path) -> None:
    assert not any("ctc" in name for name in load_tensors(trained / "model.safetensors"))
    with pytest.raises(RecipeError, match=r"search.ctc_weight = 0.3: expected 0, since objective.ctc_weight = 0"):
        Recognizer.load(trained, search=["ctc_weight=0.3"])


def test_a_manifest_without_the_key_is_named_with_line_and_key(trained: Path, manifest: Path, tmp_path: Path) -> None:
    rows = manifest.read_text().replace('"german": "ei"', '"germann": "ei"')
    (tmp_path / "bad.jsonl").write_text(rows)
    with pytest.raises(ManifestError, match=r"bad.jsonl:3: missing key 'german'; this row has .*'germann'"):
        evaluate(Recognizer.load(trained), tmp_path / "bad.jsonl")
