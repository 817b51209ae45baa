"""The section `tokenizer` of a recipe: how text is cut into tokens, chosen by `kind`."""

from typing import Annotated, Literal

from pydantic import Field

from asr.recipe.section import FolderPath, Section

VocabularySize = Annotated[
    int,
    Field(
        ge=8,
        le=100_000,
        description="tokens, the special ones included; learnt from all texts, of more than 200,000 from one out of "
        "each of 200,000 even stretches of the set, drawn by training.seed; every character of the set is a token",
    ),
]


class CharTokenizer(Section):
    """Every character of the training text is a token."""

    kind: Literal["char"] = Field(description="which tokenizer")


class UnigramTokenizer(Section):
    """Word pieces by a unigram language model (Kudo 2018)."""

    kind: Literal["unigram"] = Field(description="which tokenizer")
    vocab_size: VocabularySize


class BpeTokenizer(Section):
    """Word pieces by byte-pair encoding (Sennrich et al. 2016)."""

    kind: Literal["bpe"] = Field(description="which tokenizer")
    vocab_size: VocabularySize


class TrainedTokenizer(Section):
    """The tokens of a trained model, so that a language model speaks those of its recogniser."""

    kind: Literal["trained"] = Field(description="which tokenizer")
    folder: FolderPath = Field(description="EXP/best of a model that writes text; read at the first start")
