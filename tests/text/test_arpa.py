"""ARPA files: read, written, and refused with their line."""

import gzip
import lzma
import math
from pathlib import Path

import numpy as np
import pytest

from asr.text.arpa import ArpaError, read_arpa, write_arpa

GOOD = """a comment before the model

\\data\\
ngram 1=4
ngram 2=3

\\1-grams:
-99\t<s>\t-0.5
-1.25\t</s>
-0.5\ta\t-0.25
-0.75 ▁é -inf

\\2-grams:
-0.1\t<s> a
-0.2\ta a
-0.3\ta </s>

\\end\\
"""


def write(folder: Path, text: str, name: str = "a.arpa") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_numbers_are_natural_logarithms(tmp_path: Path) -> None:
    arpa = read_arpa(write(tmp_path, GOOD))
    assert arpa.words == ("<s>", "</s>", "a", "▁é") and arpa.order == 2
    unigrams, bigrams = arpa.tables
    assert unigrams.rows.tolist() == [[0], [1], [2], [3]] and unigrams.first_line == 8
    assert bigrams.rows.tolist() == [[0, 2], [2, 2], [2, 1]] and bigrams.first_line == 14
    np.testing.assert_allclose(bigrams.log_probs, [math.log(10**-0.1), math.log(10**-0.2), math.log(10**-0.3)])
    np.testing.assert_allclose(unigrams.backoffs, [math.log(10**-0.5), 0.0, math.log(10**-0.25), -math.inf])
    assert bigrams.backoffs.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("name", ["b.arpa", "b.arpa.gz"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    arpa = read_arpa(write(tmp_path, GOOD))
    write_arpa(tmp_path / name, arpa)
    again = read_arpa(tmp_path / name)
    assert again.words == arpa.words
    for one, two in zip(arpa.tables, again.tables, strict=True):
        assert (one.rows == two.rows).all()
        np.testing.assert_allclose(one.log_probs, two.log_probs, rtol=1e-6)
        np.testing.assert_allclose(one.backoffs.clip(min=-99 * math.log(10)), two.backoffs, rtol=1e-6)
    assert [path.name for path in tmp_path.glob("*tmp*")] == []


def test_compressed_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.arpa.gz").write_bytes(gzip.compress(GOOD.encode()))
    (tmp_path / "a.arpa.xz").write_bytes(lzma.compress(GOOD.encode()))
    assert read_arpa(tmp_path / "a.arpa.gz").words == read_arpa(tmp_path / "a.arpa.xz").words
    (tmp_path / "cut.arpa.gz").write_bytes(gzip.compress(GOOD.encode())[:-20])
    with pytest.raises(ArpaError, match="cut.arpa.gz: cannot be decompressed: .*end"):
        read_arpa(tmp_path / "cut.arpa.gz")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("\\data\\", "data", r"a.arpa:18: the file ends before '\\\\data\\\\'"),
        ("ngram 2=3", "ngram 3=3", r"a.arpa:5: found 'ngram 3=3', expected 'ngram 2=COUNT'"),
        ("ngram 2=3", "ngram 2=x", r"a.arpa:5: found 'ngram 2=x'"),
        ("ngram 1=4\nngram 2=3\n", "", r"a.arpa:5: no 'ngram 1=COUNT'"),
        ("ngram 1=4", "ngram 1=3", r"a.arpa:11: found '-0.75 ▁é -inf', expected '\\\\2-grams:': the header says 3"),
        ("ngram 1=4", "ngram 1=5", r"a.arpa:12: found '', expected a log-probability, 1 words"),
        ("ngram 2=3", "ngram 2=2", r"a.arpa:16: found .* expected '\\\\end\\\\': the header says 2 n-grams of 2 words"),
        ("\\end\\\n", "", r"a.arpa:17: the file ends before '\\\\end\\\\'"),
        ("-0.3\ta </s>\n\n\\end\\\n", "", r"a.arpa:15: the file ends where 1 more n-grams of 2 words should stand"),
        ("-0.2\ta a", "-0.2\ta b", r"a.arpa:15: the word 'b' is not among the 1-grams"),
        ("-0.2\ta a", "-0.2\ta a a a", r"a.arpa:15: found '-0.2 a a a a', expected a log-probability, 2 words"),
        ("-0.2\ta a", "-0.2\ta", r"a.arpa:15: found '-0.2 a', expected a log-probability, 2 words"),
        ("-0.2\ta a", "0.2\ta a", r"a.arpa:15: .* at most 0"),
        ("-0.2\ta a", "nan\ta a", r"a.arpa:15: .* at most 0"),
        ("-0.2\ta a", "x\ta a", r"a.arpa:15: .* numbers"),
        ("a\t-0.25", "a\tx", r"a.arpa:10: .* numbers"),
        ("▁é", "a", r"a.arpa:11: the word 'a' is there twice"),
    ],
)
def test_faults_are_told_with_their_line(tmp_path: Path, old: str, new: str, fault: str) -> None:
    with pytest.raises(ArpaError, match=fault):
        read_arpa(write(tmp_path, GOOD.replace(old, new)))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.arpa"
    path.write_bytes(GOOD.encode().replace("é".encode(), b"\xff"))
    with pytest.raises(ArpaError, match="a.arpa:11: .* is not UTF-8"):
        read_arpa(path)
