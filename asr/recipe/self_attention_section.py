"""Listeners of self-attention blocks, and the kinds of self-attention that their blocks can have."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from asr.recipe.image_attention_section import ImageAttention
from asr.recipe.section import Section

Width = Annotated[int, Field(ge=1, le=16384)]
Depth = Annotated[int, Field(ge=1, le=64)]
Heads = Annotated[int, Field(ge=1, le=64)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
KernelWidth = Annotated[int, Field(ge=1, le=1001)]


class FullSelfAttention(Section):
    """Every state looks at every state, by content and distance."""

    complexity: ClassVar[str] = "S²"
    paper: ClassVar[str] = "Dai et al. 2019"
    kind: Literal["full"] = Field(description="which self-attention")
    n_heads: Heads = Field(4, description="heads; they divide d_model")


class WindowedSelfAttention(Section):
    """Every state looks at the states around it, by content and distance."""

    complexity: ClassVar[str] = "S"
    paper: ClassVar[str] = "Beltagy et al. 2020"
    kind: Literal["windowed"] = Field(description="which self-attention")
    n_heads: Heads = Field(4, description="heads; they divide d_model")
    window: Annotated[int, Field(ge=1, le=65536)] = Field(
        64, description="states to either side that a state looks at; a state is 40 ms"
    )


class PyramidSelfAttention(Section):
    """Every state looks at near states in full and at farther ones by means of 2, 4, 8, ... of them."""

    complexity: ClassVar[str] = "S · log S"
    paper: ClassVar[str] = "Kang et al. 2023"
    kind: Literal["pyramid"] = Field(description="which self-attention")
    n_heads: Heads = Field(4, description="heads; they divide d_model")
    n_near: Annotated[int, Field(ge=0, le=65536)] = Field(
        8, description="means of each size to either side that are near, and so seen by means of half that size"
    )


class GraphSelfAttention(Section):
    """Every state looks at near states and at those 1, 2, 4, 8, ... away: graph attention with distances."""

    complexity: ClassVar[str] = "S · log S"
    paper: ClassVar[str] = "Veličković et al. 2018"
    kind: Literal["graph"] = Field(description="which self-attention")
    n_heads: Heads = Field(4, description="heads; they divide d_model")
    n_near: Annotated[int, Field(ge=0, le=1024)] = Field(8, description="neighbours to either side, in states")


SelfAttention = Annotated[
    FullSelfAttention | WindowedSelfAttention | PyramidSelfAttention | GraphSelfAttention, Field(discriminator="kind")
]


class SelfAttentionListener(Section):
    """What listeners of self-attention blocks have in common."""

    n_channels: Width = Field(256, description="channels of the two convolutions that give a state for four frames")
    d_model: Width = Field(256, description="width of the states, in units; even")
    d_feed_forward: Width = Field(2048, description="width of the hidden layers of the feed-forward modules, in units")
    kernel_width: KernelWidth = Field(
        31, description="width of the depthwise convolutions, in states; odd, so that a filter has a middle"
    )
    n_layers: Depth = Field(12, description="blocks")
    dropout: Dropout = Field(0.1, description="probability of dropping a value in and between modules in training")
    self_attention: SelfAttention = Field(description="how the states of a block look at each other")
    image_attention: ImageAttention | None = Field(
        None, description="attention over what the convolutions make of the spectrogram; null for none"
    )

    @model_validator(mode="after")
    def _filters_have_a_middle(self) -> Self:
        if self.kernel_width % 2 == 0:
            raise ValueError(f"kernel_width = {self.kernel_width}: expected an odd number of states")
        return self

    @model_validator(mode="after")
    def _heads_have_a_width(self) -> Self:
        n_heads = self.self_attention.n_heads
        if self.d_model % 2 or self.d_model % n_heads:
            raise ValueError(
                f"d_model = {self.d_model}: expected an even multiple of self_attention.n_heads = {n_heads}"
            )
        return self


class ConformerListener(SelfAttentionListener):
    """Conformer: blocks of feed-forward, self-attention, convolution, feed-forward (four times fewer states)."""

    complexity: ClassVar[str] = "T + S²"
    paper: ClassVar[str] = "Gulati et al. 2020"
    kind: Literal["conformer"] = Field(description="which listener")


class EBranchformerListener(SelfAttentionListener):
    """E-Branchformer: blocks of self-attention beside a gated convolution, merged (four times fewer states)."""

    complexity: ClassVar[str] = "T + S²"
    paper: ClassVar[str] = "Kim et al. 2022"
    kind: Literal["e_branchformer"] = Field(description="which listener")
    d_feed_forward: Width = Field(1024, description="width of the hidden layers of the feed-forward modules, in units")
    d_gated: Annotated[int, Field(ge=2, le=16384, multiple_of=2)] = Field(
        1024, description="width of the hidden layer of the branch of the gated convolution, in units; even"
    )
