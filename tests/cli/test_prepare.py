import pytest

from asr.corpora import prepare as prepare_module
from asr.corpora.candidate import CorpusError
from asr.corpora.prepare import Preparation, SplitSummary


@pytest.fixture
def calls(monkeypatch, tmp_path):
    made = []

    def fake(corpus, source, out, *, max_rejected, language, split, only, audio_root, hours, progress):
        made.append((corpus, source, out, max_rejected, language))
        made[-1] += ((split, *only, audio_root),) if split or only or audio_root else ()
        made[-1] += (hours,) if hours else ()
        progress(1, 2)
        if corpus == "broken":
            raise CorpusError("broken: 3 of 4 utterances are broken")
        split = SplitSummary("train", out / "train.jsonl", 7, 3600.0, 3, 1)
        return Preparation((split,), out / "rejected.tsv")

    monkeypatch.setattr(prepare_module, "prepare", fake)
    return made


def test_source_is_optional(asr, calls, tmp_path):
    assert asr("prepare", "digits", tmp_path / "out").status == 0
    assert asr("prepare", "an4", tmp_path, tmp_path / "out", "--max-rejected", "0.5").status == 0
    assert calls == [
        ("digits", None, tmp_path / "out", 0.01, "en"),
        ("an4", tmp_path, tmp_path / "out", 0.5, "en"),
    ]


def test_splits_are_told(asr, calls, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    outcome = asr("prepare", "digits", tmp_path)
    assert "train.jsonl" in outcome.out
    assert "1.00" in outcome.out
    assert "rejected.tsv" in outcome.out


def test_a_broken_corpus_is_status_1(asr, calls, tmp_path):
    outcome = asr("prepare", "broken", tmp_path)
    assert (outcome.status, outcome.err) == (1, "asr: broken: 3 of 4 utterances are broken\n")


def test_options_of_ones_own_data(asr, calls, tmp_path):
    words = ["--split", "train", "--only", "train", "--audio-root", tmp_path]
    assert asr("prepare", "table", tmp_path / "list.csv", tmp_path / "out", *words).status == 0
    assert calls[0][-1] == ("train", "train", tmp_path)


def test_a_corpus_is_fetched_into_a_folder_of_its_own(asr, calls, tmp_path):
    outcome = asr("prepare", "yesno", tmp_path / "out", "--download")
    assert outcome.status == 2
    assert "needs SOURCE" in outcome.err
    assert "does not know where it is published" in asr("prepare", "vctk", tmp_path, tmp_path, "--download").err
    assert not calls


@pytest.mark.parametrize("words", [[], ["a", "b", "c"], ["a", "b", "--max-rejected", "2"]])
def test_wrong_words_are_usage(asr, calls, words):
    assert asr("prepare", "digits", *words).status == 2
    assert not calls


def test_help_names_every_corpus(asr):
    from asr.corpora.prepare import CORPORA, LAYOUTS

    text = asr("prepare", "--help").out
    assert all(name in text for name in CORPORA | LAYOUTS)


def test_hours_are_passed_on(asr, calls, tmp_path):
    assert asr("prepare", "synthetic", tmp_path / "text.txt", tmp_path / "out", "--hours", "1.5").status == 0
    assert calls == [("synthetic", tmp_path / "text.txt", tmp_path / "out", 0.01, "en", 1.5)]
