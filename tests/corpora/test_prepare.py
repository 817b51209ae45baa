from collections.abc import Callable
from pathlib import Path

import pytest

from asr.corpora import prepare as prepare_module
from asr.corpora.candidate import Candidate, CorpusError, Progress, Splits
from asr.corpora.manifest import read_manifest
from asr.corpora.prepare import CORPORA, prepare

HEADER = "id\tfile\treason\tlisted in\n"


@pytest.fixture
def toy(tmp_path: Path, speak: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Splits:
    """A corpus named `toy` whose candidates a test may change before preparing it."""
    path = speak(tmp_path / "a.wav", 0.5)
    splits: Splits = {
        "train": [Candidate(f"t{n}", path, "YES", f"s{n % 3}") for n in range(99)],
        "test": [Candidate("e0", path, "no", "s9")],
    }

    def load(source: Path | None, out: Path, progress: Progress) -> Splits:
        progress(3, 3)
        return splits

    monkeypatch.setitem(CORPORA, "toy", load)
    return splits


def test_manifests_summaries_and_an_empty_list_of_faults(tmp_path: Path, toy: Splits) -> None:
    out = tmp_path / "deep" / "out"
    calls: list[tuple[int, int]] = []
    result = prepare("toy", None, out, language="de", progress=lambda done, total: calls.append((done, total)))
    train, test = result.splits
    assert (train.split, train.n_utterances, train.duration_s, train.n_speakers, train.n_rejected) == (
        "train",
        99,
        49.5,
        3,
        0,
    )
    assert (test.split, test.n_utterances, test.manifest) == ("test", 1, out / "test.jsonl")
    rows = read_manifest(train.manifest)
    assert [row.id for row in rows] == [f"t{n}" for n in range(99)]
    assert {row.language for row in rows} == {"de"}
    assert {row.text for row in rows} == {"yes"}
    assert result.rejected.read_text() == HEADER
    assert calls == [(3, 6), *((3 + n, 103) for n in range(1, 101))]


def test_up_to_one_percent_may_break_and_is_listed(tmp_path: Path, toy: Splits) -> None:
    toy["train"][5] = Candidate("odd", tmp_path / "missing.wav", "", "s", listed="list.csv:7")
    result = prepare("toy", None, tmp_path / "out")
    assert result.splits[0].n_utterances == 98
    assert result.splits[0].n_rejected == 1
    lines = result.rejected.read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["id", "odd", "odd"]
    assert [line.split("\t")[2].split(":")[0] for line in lines[1:]] == ["no text", "unreadable"]
    assert [line.split("\t")[3] for line in lines[1:]] == ["list.csv:7", "list.csv:7"]
    assert [fault.in_words().partition(": no")[0] for fault in result.faults[:1]] == ["list.csv:7: odd"]


def test_more_than_that_fails_with_the_list_but_without_manifests(tmp_path: Path, toy: Splits) -> None:
    toy["train"][5] = toy["train"][6] = Candidate("same", tmp_path / "missing.wav", "yes", "s")
    with pytest.raises(CorpusError, match=r"2 of 100 utterances are broken \(2.0%, at most 1.0% may be\)") as caught:
        prepare("toy", None, tmp_path / "out")
    assert str(tmp_path / "out" / "rejected.tsv") in str(caught.value)
    assert f"{tmp_path / 'missing.wav'}: same: unreadable" in str(caught.value)  # the first few are told at once
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["rejected.tsv"]
    assert (tmp_path / "out" / "rejected.tsv").read_text().count("\n") == 4
    assert prepare("toy", None, tmp_path / "out", max_rejected=0.02).splits[0].n_utterances == 97


def test_a_split_with_nothing_left_fails_whatever_is_allowed(tmp_path: Path, toy: Splits) -> None:
    toy["test"][0] = Candidate("e0", tmp_path / "missing.wav", "yes", "s")
    with pytest.raises(CorpusError, match="split test has no usable utterance"):
        prepare("toy", None, tmp_path / "out", max_rejected=1.0)
    assert not (tmp_path / "out" / "train.jsonl").exists()


def test_an_unknown_corpus_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match="expected one of aishell, an4, .*librispeech.* or for your own data one of folder"
    ):
        prepare("lbrispeech", None, tmp_path)


@pytest.mark.parametrize("corpus", sorted(set(CORPORA) - {"digits"}))
def test_a_wrong_source_is_told_what_was_looked_for(tmp_path: Path, corpus: str) -> None:
    with pytest.raises(CorpusError, match=f"{corpus}: needs SOURCE"):
        prepare(corpus, None, tmp_path / "out")
    with pytest.raises(CorpusError, match="is not a folder"):
        prepare(corpus, tmp_path / "missing", tmp_path / "out")
    (tmp_path / "wrong").mkdir()
    with pytest.raises(CorpusError, match=f"{corpus}: looked for .* in {tmp_path / 'wrong'}.*; give the folder"):
        prepare(corpus, tmp_path / "wrong", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_table_names_each_loader() -> None:
    for name, loader in (prepare_module.CORPORA | prepare_module.LAYOUTS).items():
        assert loader.__name__ == f"load_{name}"
