from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.text.labels import LabelError, Labels

printable = st.text(st.characters(codec="utf-8")).filter(lambda name: name.strip() and name.isprintable())


@given(st.lists(printable, min_size=2, max_size=8, unique=True), st.randoms())
def test_every_label_has_an_id_of_its_own_whatever_the_order(names: list[str], random_) -> None:
    labels = Labels.train([*names, names[0]])
    shuffled = random_.sample(names, len(names))
    assert labels.names == Labels.train(shuffled).names
    ids = [labels.encode(name) for name in names]
    assert sorted(ids) == [[number] for number in range(labels.n_tokens)]
    assert labels.pieces([number for (number,) in ids]) == names
    assert labels.count(names) == [1] * len(names)


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    labels = Labels.train(["Zürich", "a b", "A b"])
    (tmp_path / "labels.json").write_bytes(labels.model)
    assert Labels.load(tmp_path / "labels.json").names == labels.names == ("A b", "Zürich", "a b")


@pytest.mark.parametrize("content", ["[1, 2]", '{"a": 1}', "["])
def test_what_is_no_list_of_labels_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "labels.json").write_text(content)
    with pytest.raises(LabelError, match=r"labels\.json"):
        Labels.load(tmp_path / "labels.json")


@pytest.mark.parametrize(
    ("texts", "words"),
    [([], "expected at least two"), (["a", "a"], r"\['a'\]"), (["a", ""], "label ''"), (["a", "b\tc"], r"'b\\tc'")],
)
def test_what_cannot_be_learnt_is_refused(texts: list[str], words: str) -> None:
    with pytest.raises(LabelError, match=words):
        Labels.train(texts)


def test_an_unknown_label_is_named_with_the_known() -> None:
    labels = Labels.train(["no", "yes"])
    assert "no" in labels and "nö" not in labels
    with pytest.raises(LabelError, match="label 'nö' is unknown; known are 'no', 'yes'"):
        labels.encode("nö")
