"""Attention over what a front end's convolutions make of the spectrogram, chosen by `kind`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from asr.recipe.section import Section


class SqueezeExcitation(Section):
    """Weighs each channel of the convolutions by what all channels do on average over the utterance."""

    complexity: ClassVar[str] = "T"
    paper: ClassVar[str] = "Hu et al. 2018"
    kind: Literal["squeeze_excitation"] = Field(description="which attention")
    reduction: Annotated[int, Field(ge=1, le=1024)] = Field(
        8, description="by how much fewer units than channels decide on the weights"
    )


class TwoDimensionalAttention(Section):
    """Attention of the convolutions' image along time and along frequency."""

    complexity: ClassVar[str] = "S²"
    paper: ClassVar[str] = "Dong et al. 2018"
    kind: Literal["two_dimensional"] = Field(description="which attention")
    n_heads: Annotated[int, Field(ge=1, le=64)] = Field(4, description="channels in which is attended")


ImageAttention = Annotated[SqueezeExcitation | TwoDimensionalAttention, Field(discriminator="kind")]
