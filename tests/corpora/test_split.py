from pathlib import Path

import pytest

from asr.corpora.candidate import Candidate, CorpusError
from asr.corpora.split import divide


def utterances(n_speakers: int, per_speaker: int = 3, same_text: bool = False) -> list[Candidate]:
    return [
        Candidate(f"{s}-{n}", Path("a.wav"), f"text {n if same_text else (s, n)}", f"s{s}" if n_speakers > 1 else "")
        for s in range(n_speakers)
        for n in range(per_speaker)
    ]


def test_speakers_are_never_shared_and_stay_when_others_join() -> None:
    small, sentence = divide(utterances(200))
    large, _ = divide(utterances(400))
    assert "speaker" in sentence
    speakers = {split: {row.speaker for row in rows} for split, rows in small.items()}
    assert (
        not speakers["train"] & speakers["dev"]
        | speakers["train"] & speakers["test"]
        | speakers["dev"] & speakers["test"]
    )
    assert sum(map(len, small.values())) == 600
    for split, names in speakers.items():
        assert names <= {row.speaker for row in large[split]}
    assert 2 <= len(speakers["dev"]) <= 20
    assert 2 <= len(speakers["test"]) <= 20


def test_with_few_speakers_texts_are_divided() -> None:
    splits, sentence = divide(utterances(5, 40, same_text=True))
    assert "text" in sentence
    texts = [{row.text for row in rows} for rows in splits.values()]
    assert sum(map(len, texts)) == 40
    assert all(texts)


@pytest.mark.parametrize("n", [3, 4, 10])
def test_no_split_is_empty(n: int) -> None:
    splits, _ = divide(utterances(1, n))
    assert all(splits.values())
    assert sum(map(len, splits.values())) == n


def test_too_few_to_divide() -> None:
    with pytest.raises(CorpusError, match="too few to be divided.*--split train"):
        divide(utterances(1, 2))


def test_broken_ones_are_counted_in_train() -> None:
    broken = Candidate("list.csv:3", Path("list.csv"), "", "", "not a row")
    splits, _ = divide([*utterances(50), broken])
    assert splits["train"][-1] is broken
