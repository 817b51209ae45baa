"""Text to tokens and back; the only owner of the special ids."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import sentencepiece

from asr.text.normalize import normalize

LEARNS_FROM = 200_000
"""Transcripts that sub-words are learnt from at most; more change them little."""

BOUNDARY = "▁"
"""What sentencepiece writes where a word begins."""

TokenizerKind = Literal["char", "unigram", "bpe"]


class Tokenizer:
    """A trained sentencepiece model with the ids this project needs.

    Ids: 0 blank (CTC; also what fills padding, which is never read), 1 unknown, 2 start, 3 end of sentence, then
    the pieces. Texts are normalised before they are cut (see `normalize`).

    Args:
        model: A serialised sentencepiece model, made by `Tokenizer.train`.

    Raises:
        ValueError: The bytes are not such a model.
    """

    blank = 0
    unk = 1
    sos = 2
    eos = 3

    def __init__(self, model: bytes) -> None:
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        except RuntimeError as error:
            raise ValueError(f"not a sentencepiece model: {error}") from error
        found = [self._processor.pad_id(), self._processor.unk_id(), self._processor.bos_id(), self._processor.eos_id()]
        if found != [self.blank, self.unk, self.sos, self.eos]:
            raise ValueError(f"special ids are {found}, expected [0, 1, 2, 3]: train the tokenizer with `asr train`")
        self.model = model

    @classmethod
    def train(
        cls, texts: Iterable[str], kind: TokenizerKind, vocab_size: int | None = None, *, alphabet: str = ""
    ) -> "Tokenizer":
        """Learns the pieces of a text.

        Args:
            texts: Transcripts of the training set only.
            kind: Characters, or sub-words by unigram language model (Kudo 2018) or byte-pair encoding (Sennrich 2016).
            vocab_size: Number of tokens for sub-words, special ids included; characters take all there are.
            alphabet: Characters that become tokens even if these texts, being a sample, lack them.

        Raises:
            ValueError: No text, or a vocabulary that the text cannot fill.
        """
        lines = sorted({normalize(text) for text in texts} - {""})
        if not lines:
            raise ValueError("no text to train a tokenizer on: all transcripts are empty")
        missing = sorted(set(alphabet).difference(*lines))
        lines += [" ".join(missing[start : start + 500]) for start in range(0, len(missing), 500)]
        target = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(lines),
                model_writer=target,
                model_type=kind,
                vocab_size=vocab_size or 1 << 15,
                hard_vocab_limit=kind != "char",
                character_coverage=1.0,
                normalization_rule_name="identity",
                pad_id=cls.blank,
                unk_id=cls.unk,
                bos_id=cls.sos,
                eos_id=cls.eos,
                num_threads=1,
                minloglevel=2,
            )
        except RuntimeError as error:
            raise ValueError(f"cannot train a {kind} tokenizer with vocab_size {vocab_size}: {error}") from error
        return cls(target.getvalue())

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Reads a file that holds a tokenizer's `model`."""
        return cls(path.read_bytes())

    @property
    def n_tokens(self) -> int:
        """Size V of the vocabulary, special ids included."""
        return int(self._processor.get_piece_size())

    def encode(self, text: str) -> list[int]:
        """Cuts a text into token ids, without start and end."""
        return list(self._processor.encode(normalize(text)))

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Cuts many texts at once, in the time of a few."""
        return list(self._processor.encode([normalize(text) for text in texts]))

    def count(self, texts: Sequence[str]) -> list[int]:
        """Counts the tokens of many texts at once."""
        return [len(tokens) for tokens in self.encode_all(texts)]

    def decode(self, tokens: Sequence[int]) -> str:
        """Joins token ids to text; special ids vanish."""
        kept = [int(token) for token in tokens if int(token) not in (self.blank, self.sos, self.eos)]
        return str(self._processor.decode(kept))

    def words(self, tokens: Sequence[int]) -> list[tuple[str, list[int]]]:
        """Groups tokens into the words of their text.

        Returns:
            The words of `decode(tokens)`, each with the places of the tokens that spell it. A lone word boundary, which
            characters have between words, belongs to no word; an unknown character is a word of its own.
        """
        groups: list[list[int]] = []
        begins = True
        for place, (token, piece) in enumerate(zip(tokens, self.pieces(tokens), strict=True)):
            unknown = token == self.unk
            begins |= unknown or piece.startswith(BOUNDARY)
            if piece == BOUNDARY or token in (self.blank, self.sos, self.eos):
                continue
            if begins:
                groups.append([])
            groups[-1].append(place)
            begins = unknown
        return [(self.decode([tokens[place] for place in group]).strip(), group) for group in groups]

    def surfaces(self) -> list[str]:
        """What each token adds to a text before blanks collapse: "" for blank, start and end, a mark for unknown."""
        found = [piece.replace("▁", " ") for piece in self.pieces(range(self.n_tokens))]
        for special in (self.blank, self.sos, self.eos):
            found[special] = ""
        found[self.unk] = str(self._processor.decode([self.unk]))
        return found

    @property
    def alphabet(self) -> frozenset[str]:
        """The characters that can be written."""
        surfaces = self.surfaces()
        return frozenset("".join(surfaces[: self.unk] + surfaces[self.unk + 1 :]))

    def pieces(self, tokens: Sequence[int]) -> list[str]:
        """Names each token, for pictures; a word's first piece begins with ▁."""
        return [str(self._processor.id_to_piece(int(token))) for token in tokens]
