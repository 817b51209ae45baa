"""An experiment's vocabulary, and how many tokens each training utterance has: made once, kept in its folder."""

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr.build import build_vocabulary
from asr.corpora.candidate import Progress
from asr.corpora.index import ProgressBar
from asr.corpora.sentences import Sentences
from asr.corpora.utterances import Utterances
from asr.recipe.schema import Recipe
from asr.recipe.tokenizer_section import TrainedTokenizer
from asr.recognizer.model_folder import load_tokenizer, load_vocabulary, vocabulary_file
from asr.text.labels import Labels
from asr.text.tokenizer import Tokenizer
from asr.text.vocabulary import Vocabulary
from asr.training.checkpoint import CheckpointError, verify_directory, write_directory, writer

COUNTS_FILE = "n_tokens.npy"
ABOUT_FILE = "about.json"
_AT_ONCE = 1000  # texts


@dataclass(frozen=True)
class Tokens:
    """How texts are cut.

    Attributes:
        vocabulary: Learnt from the training set.
        counts: (n,) int32, tokens of each training utterance.
    """

    vocabulary: Tokenizer | Labels
    counts: NDArray[np.int32]


def tokens_of(
    folder: Path, recipe: Recipe, train: Utterances | Sentences, progress_bar: ProgressBar, *, keep: bool
) -> Tokens:
    """Takes what an earlier start kept for this recipe and training set, or makes it.

    Args:
        folder: Where it is kept.
        recipe: Of the run.
        train: Its training set.
        progress_bar: Shows the counting.
        keep: Whether to write what was made there, whole or not at all.

    Raises:
        ValueError: No text, or a vocabulary that the text cannot fill.
        LabelError: Too few labels, or one that cannot be shown.
        CheckpointError: The disk refused, or the model whose tokens are to be taken is not there.
    """
    section = recipe.tokenizer and recipe.tokenizer.model_dump(mode="json")
    about = {"train": train.fingerprint, "tokenizer": section, "seed": recipe.training.seed}
    described = json.dumps(about, indent=1).encode()
    found = _kept(folder, recipe, described)
    if found:
        return found
    ready = recipe.tokenizer if isinstance(recipe.tokenizer, TrainedTokenizer) else None
    vocabulary = load_tokenizer(ready.folder) if ready else build_vocabulary(recipe, train)
    with progress_bar("counting tokens") as progress:
        made = Tokens(vocabulary, _count(vocabulary, train, progress))
    if keep:
        counts = io.BytesIO()
        np.save(counts, made.counts, allow_pickle=False)
        files = {vocabulary_file(recipe): vocabulary.model, COUNTS_FILE: counts.getvalue(), ABOUT_FILE: described}
        write_directory(folder, {name: writer(content) for name, content in files.items()})
    return made


def _kept(folder: Path, recipe: Recipe, described: bytes) -> Tokens | None:
    """What is kept, if it is whole and of the same recipe and training set."""
    try:
        verify_directory(folder)
    except CheckpointError:
        return None
    if (folder / ABOUT_FILE).read_bytes() != described:
        return None
    try:
        counts = np.load(folder / COUNTS_FILE, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError):  # not made here
        return None
    return Tokens(load_vocabulary(folder, recipe), np.asarray(counts))


def _count(vocabulary: Vocabulary, train: Utterances | Sentences, progress: Progress) -> NDArray[np.int32]:
    counts = np.zeros(len(train), np.int32)
    for start in range(0, len(train), _AT_ONCE):
        texts = [utterance.text for utterance in train[start : start + _AT_ONCE]]
        counts[start : start + len(texts)] = vocabulary.count(texts)
        progress(start + len(texts), len(train))
    return counts
