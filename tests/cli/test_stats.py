import json

import pytest

from asr.corpora.manifest import Utterance, write_manifest


@pytest.fixture
def manifests(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    for name, texts in {"train": ["yes", "no dоg", "[red]"], "te\x1bst": ["yes"]}.items():
        rows = [Utterance(str(n), tmp_path / "a.wav", 0.0, 1.5, text, "anna", "en") for n, text in enumerate(texts)]
        write_manifest(tmp_path / f"{name}.jsonl", rows)
    return [tmp_path / "train.jsonl", tmp_path / "te\x1bst.jsonl"]


def test_a_table_and_what_is_shared(asr, manifests):
    outcome = asr("stats", *manifests)
    assert outcome.status == 0
    assert "te\\x1bst.jsonl" in outcome.out
    assert "\x1b]" not in outcome.out
    assert "\x1bst" not in outcome.out
    assert "share 1 speakers and 1 texts" in outcome.out
    assert "cyrillic small letter o: 1, first in" in outcome.out
    assert "█" in outcome.out


@pytest.mark.parametrize("suffix", ["json", "png"])
def test_out(asr, manifests, tmp_path, suffix):
    out = tmp_path / f"stats.{suffix}"
    assert asr("stats", manifests[0], "--out", out).status == 0
    content = out.read_bytes()
    assert json.loads(content)[0]["utterances"] == 3 if suffix == "json" else content.startswith(b"\x89PNG")


def test_wrong_words(asr, manifests, tmp_path):
    assert asr("stats", manifests[0], "--out", tmp_path / "a.gif").status == 2
    assert asr("stats").status == 2
    outcome = asr("stats", tmp_path / "none.jsonl")
    assert outcome.status == 1
    assert "cannot read the manifest" in outcome.err
    assert "Traceback" not in outcome.err
