"""The section `model.attention` of a recipe: how a recurrent speller looks at the states, chosen by `kind`."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from asr.recipe.section import Section

Width = Annotated[int, Field(ge=1, le=16384)]
States = Annotated[float, Field(gt=0, le=1000)]
# Kinds whose weights depend on query and keys alone.
WITHOUT_A_PAST = ("dot", "scaled_dot", "additive")

_INITIAL_STEP = "states from token to token at first: the utterances' states divided by their tokens, about"


class HeadedAttention(Section):
    """What all kinds have."""

    d_attention: Width = Field(256, description="width in which query and states meet, in units; heads share it evenly")
    n_heads: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="heads, each with weights of its own; they must divide d_attention"
    )

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> Self:
        if self.d_attention % self.n_heads:
            raise ValueError(f"d_attention = {self.d_attention}: expected a multiple of n_heads = {self.n_heads}")
        return self


class DotAttention(HeadedAttention):
    """Dot product of query and states, both projected (Luong et al. 2015)."""

    complexity: ClassVar[str] = "U · S"
    paper: ClassVar[str] = "Luong et al. 2015"
    kind: Literal["dot"] = Field(description="which attention")


class ScaledDotAttention(HeadedAttention):
    """Dot product divided by the square root of a head's width (Vaswani et al. 2017)."""

    complexity: ClassVar[str] = "U · S"
    paper: ClassVar[str] = "Vaswani et al. 2017"
    kind: Literal["scaled_dot"] = Field(description="which attention")


class AdditiveAttention(HeadedAttention):
    """Content-based attention by a small network (Bahdanau et al. 2015)."""

    complexity: ClassVar[str] = "U · S"
    paper: ClassVar[str] = "Bahdanau et al. 2015"
    kind: Literal["additive"] = Field(description="which attention")


class LocationAttention(HeadedAttention):
    """Attention that also sees, through a convolution, where it looked one step before (Chorowski et al. 2015)."""

    complexity: ClassVar[str] = "U · S"
    paper: ClassVar[str] = "Chorowski et al. 2015"
    kind: Literal["location"] = Field(description="which attention")
    n_filters: Width = Field(10, description="filters of the convolution over the last weights")
    filter_width: Annotated[int, Field(ge=1, le=1001)] = Field(
        101, description="width of those filters, in encoder states; odd, so that a filter has a middle"
    )

    @model_validator(mode="after")
    def _filter_has_a_middle(self) -> Self:
        if self.filter_width % 2 == 0:
            raise ValueError(f"filter_width = {self.filter_width}: expected an odd number of states")
        return self


class CoverageAttention(HeadedAttention):
    """Attention that also sees how much it has looked at each state so far (See et al. 2017; Tu et al. 2016)."""

    complexity: ClassVar[str] = "U · S"
    paper: ClassVar[str] = "See et al. 2017"
    kind: Literal["coverage"] = Field(description="which attention")


class GmmAttention(HeadedAttention):
    """Mixture of Gaussians over places that only move ahead, form V2 (Graves 2013; Battenberg et al. 2020)."""

    complexity: ClassVar[str] = "U · S"
    paper: ClassVar[str] = "Graves 2013; Battenberg et al. 2020"
    kind: Literal["gmm"] = Field(description="which attention")
    n_components: Annotated[int, Field(ge=1, le=64)] = Field(5, description="Gaussians of each head")
    initial_step: States = Field(2.0, description=_INITIAL_STEP)
    initial_width: Annotated[float, Field(gt=0.5, le=1000)] = Field(
        5.0, description="standard deviation of the Gaussians at first, in states"
    )


class WalkingAttention(HeadedAttention):
    """What the kinds that walk from stop to stop have."""

    initial_step: States = Field(2.0, description=_INITIAL_STEP)
    noise: Annotated[float, Field(ge=0, le=10)] = Field(
        1.0, description="standard deviation of the noise on energies in training, which makes it stop or not"
    )


class MonotonicAttention(WalkingAttention):
    """Walks ahead from where it stopped last, and stops at one state or not (Raffel et al. 2017)."""

    complexity: ClassVar[str] = "U · S"
    paper: ClassVar[str] = "Raffel et al. 2017"
    kind: Literal["monotonic"] = Field(description="which attention")


class MochaAttention(WalkingAttention):
    """Monotonic chunkwise: where it stops, it looks softly at the last few states (Chiu & Raffel 2018)."""

    complexity: ClassVar[str] = "U · S"
    paper: ClassVar[str] = "Chiu & Raffel 2018"
    kind: Literal["mocha"] = Field(description="which attention")
    chunk_width: Annotated[int, Field(ge=1, le=1000)] = Field(
        4, description="states it looks at, the one where it stops being the last"
    )


Attention = (
    DotAttention
    | ScaledDotAttention
    | AdditiveAttention
    | LocationAttention
    | CoverageAttention
    | GmmAttention
    | MonotonicAttention
    | MochaAttention
)
