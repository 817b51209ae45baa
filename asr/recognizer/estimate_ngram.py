"""From text to an n-gram model of a recogniser's tokens."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from asr.recognizer.model_folder import load_tokenizer
from asr.text.arpa import Arpa, write_arpa
from asr.text.kneser_ney import modified_kneser_ney
from asr.text.ngram_counts import NgramKeys, count_ngrams
from asr.text.sentences import TextError, read_sentences
from asr.text.tokenizer import Tokenizer

_AT_ONCE = 10_000  # sentences


def estimate_ngram(
    texts: Sequence[Path],
    folder: Path,
    order: int,
    out: Path,
    prune_from: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[int]:
    """Estimates a model by modified Kneser-Ney smoothing and writes it in ARPA format.

    Args:
        texts: One sentence a line.
        folder: Of a trained model, whose tokens the n-grams are of.
        order: Length of the longest n-grams.
        out: The file to write; `.gz` is compressed.
        prune_from: N-grams of this length and longer that occur once are left out; None keeps all.
        progress: Told (texts read, of how many).

    Returns:
        How many n-grams there are of each length.

    Raises:
        TextError, OrderError, CheckpointError: A text cannot be read, or there is none; n-grams are too
            long; the folder is no trained model.
    """
    tokenizer = load_tokenizer(folder)
    keys = NgramKeys(tokenizer.n_tokens, order)
    counted, counts = count_ngrams(_batches(texts, tokenizer, progress), keys, tokenizer.sos, tokenizer.eos)
    if not len(counted):
        raise TextError(f"{', '.join(map(str, texts))}: no sentence in it")
    tables = modified_kneser_ney(counted, counts, keys, tokenizer.n_tokens, tokenizer.sos, prune_from)
    for table in tables:
        table.rows[:] -= 1  # token 0, blank, is no word of the model
    write_arpa(out, Arpa(tuple(tokenizer.pieces(range(1, tokenizer.n_tokens))), tables))
    return [len(table.rows) for table in tables]


def _batches(
    texts: Sequence[Path], tokenizer: Tokenizer, progress: Callable[[int, int], None]
) -> Iterator[Sequence[Sequence[int]]]:
    for number, path in enumerate(texts):
        progress(number, len(texts))
        sentences = (sentence for _, sentence in read_sentences(path))
        while batch := list(islice(sentences, _AT_ONCE)):
            yield tokenizer.encode_all(batch)
