"""From text to an n-gram model of a recogniser's tokens."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from asr.models.ngram import NgramModel
from asr.recognizer.model_folder import load_tokenizer
from asr.recognizer.perplexity import Perplexity, ngram_perplexity
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
    dev: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[int], Perplexity | None]:
    """Estimates a model by modified Kneser-Ney smoothing and writes it in ARPA format.

    Args:
        texts: One sentence a line.
        folder: Of a trained model, whose tokens the n-grams are of.
        order: Length of the longest n-grams.
        out: The file to write; `.gz` is compressed.
        prune_from: N-grams of this length and longer that occur once are left out; None keeps all.
        dev: A text to be scored by the model.
        progress: Told (texts read, of how many).

    Returns:
        How many n-grams there are of each length, and what the model makes of `dev`, if that is given.

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
    arpa = Arpa(tuple(tokenizer.pieces(range(1, tokenizer.n_tokens))), tables)
    write_arpa(out, arpa)
    return [len(table.rows) for table in tables], _score(arpa, tokenizer, dev) if dev else None


def _score(arpa: Arpa, tokenizer: Tokenizer, dev: Path) -> Perplexity:
    sentences = [sentence for _, sentence in read_sentences(dev)]
    if not sentences:
        raise TextError(f"{dev}: no sentence in it")
    model = NgramModel(arpa, range(1, tokenizer.n_tokens), tokenizer.n_tokens, tokenizer.sos, tokenizer.unk)
    return ngram_perplexity(model, tokenizer, sentences)


def _batches(
    texts: Sequence[Path], tokenizer: Tokenizer, progress: Callable[[int, int], None]
) -> Iterator[Sequence[Sequence[int]]]:
    for number, path in enumerate(texts):
        progress(number, len(texts))
        sentences = (sentence for _, sentence in read_sentences(path))
        while batch := list(islice(sentences, _AT_ONCE)):
            yield tokenizer.encode_all(batch)
