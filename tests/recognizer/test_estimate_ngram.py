"""`asr lm`: from text to a file that a search takes."""

import lzma
from pathlib import Path

import pytest
import torch

from asr.recognizer.estimate_ngram import estimate_ngram
from asr.recognizer.language_models import load_ngram
from asr.text.arpa import read_arpa
from asr.text.sentences import TextError, read_sentences
from asr.text.tokenizer import Tokenizer
from asr.training.checkpoint import CheckpointError, write_directory, writer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a trained model's folder has of its tokenizer."""
    model = Tokenizer.train(["ab ba", "cab"], "char").model
    write_directory(tmp_path / "best", {"tokenizer.model": writer(model)})
    return tmp_path / "best"


def test_text_becomes_an_arpa_file_of_the_folders_tokens(folder: Path, tmp_path: Path) -> None:
    one, two, out = tmp_path / "one.txt", tmp_path / "two.txt.xz", tmp_path / "a.arpa.gz"
    one.write_bytes("\ufeffAB  ab\r\n\nab ba\n".encode())
    two.write_bytes(lzma.compress(b"cab ab"))
    numbers, found = estimate_ngram([one, two], folder, 3, out, dev=one)
    arpa = read_arpa(out)
    assert [len(table.rows) for table in arpa.tables] == numbers and arpa.order == 3
    assert set(arpa.words) == {"<unk>", "<s>", "</s>", "▁", "a", "b", "c"}
    tokenizer = Tokenizer.load(folder / "tokenizer.model")
    model = load_ngram(out, folder, tokenizer)
    state = model.after(torch.tensor(model.start), torch.tensor(tokenizer.encode("x")[0]))
    after_blank = model.log_probs(state, torch.arange(tokenizer.n_tokens)).exp()
    likeliest = tokenizer.pieces([int(after_blank.argmax())])
    assert likeliest == ["a"]
    total = 0.0
    for sentence in ("ab ab", "ab ba"):
        state = torch.tensor(model.start)
        for token in [*tokenizer.encode(sentence), tokenizer.eos]:
            total += model.log_probs(state, torch.tensor(token)).item()
            state = model.after(state, torch.tensor(token))
    assert found is not None and found.log_prob == pytest.approx(total, abs=1e-4)
    assert (found.n_tokens, found.n_words, found.n_sentences) == (14, 6, 2)


def test_what_cannot_be_used_is_told(folder: Path, tmp_path: Path) -> None:
    text, out = tmp_path / "a.txt", tmp_path / "a.arpa"
    text.write_text("\n \n")
    with pytest.raises(TextError, match="a.txt: no sentence in it"):
        estimate_ngram([text], folder, 2, out)
    text.write_bytes(b"ab\na\xff\n")
    with pytest.raises(TextError, match="a.txt:2: not UTF-8: byte 1"):
        list(read_sentences(text))
    broken = tmp_path / "a.txt.xz"
    broken.write_bytes(lzma.compress(b"ab\n" * 1000)[:-30])
    with pytest.raises(TextError, match=r"a.txt.xz:\d+: cannot be decompressed"):
        list(read_sentences(broken))
    with pytest.raises(CheckpointError, match="no tokenizer.model there; expected EXP/best"):
        estimate_ngram([text], tmp_path, 2, out)
    assert not out.exists()
