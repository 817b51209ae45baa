"""The section `model` of a recipe: listener, attention and speller, each chosen by `kind`.

Field names are the constructor arguments of the classes that `asr/build` makes from them. What stands at `complexity`
and `paper` goes into recipes/KINDS.md.
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from asr.recipe.attention_section import WITHOUT_A_PAST, Attention
from asr.recipe.image_attention_section import ImageAttention
from asr.recipe.section import Section
from asr.recipe.self_attention_section import ConformerListener, EBranchformerListener

Width = Annotated[int, Field(ge=1, le=16384)]
Depth = Annotated[int, Field(ge=1, le=64)]
# Kinds of speller that need no section attention: they bring their own.
WITH_OWN_ATTENTION = ("transformer",)
Dropout = Annotated[float, Field(ge=0, lt=1)]


class PyramidListener(Section):
    """Pyramidal BLSTM: every layer above the bottom one halves the frame rate (Chan et al. 2016)."""

    complexity: ClassVar[str] = "T"
    paper: ClassVar[str] = "Chan et al. 2016"
    kind: Literal["pyramid"] = Field(description="which listener")
    d_hidden: Width = Field(256, description="width of each direction of each BLSTM, in units")
    n_layers: Annotated[int, Field(ge=1, le=6)] = Field(
        3, description="pyramid layers above the bottom BLSTM; each halves the frame rate, so 3 give states of 80 ms"
    )
    dropout: Dropout = Field(0.1, description="probability of dropping a value between layers in training")


class ConvBlstmListener(Section):
    """Two convolutions of stride 2 (four times fewer states than frames), then BLSTM layers."""

    complexity: ClassVar[str] = "T"
    paper: ClassVar[str] = "Zhang et al. 2017"
    kind: Literal["conv_blstm"] = Field(description="which listener")
    n_channels: Width = Field(32, description="channels of each convolution")
    d_hidden: Width = Field(256, description="width of each direction of each BLSTM, in units")
    n_layers: Depth = Field(3, description="BLSTM layers above the convolutions")
    dropout: Dropout = Field(0.1, description="probability of dropping a value between layers in training")
    image_attention: ImageAttention | None = Field(
        None, description="attention over what the convolutions make of the spectrogram; null for none"
    )


class VggBlstmListener(Section):
    """Two blocks of two convolutions and a pooling (four times fewer states than frames), then BLSTM layers."""

    complexity: ClassVar[str] = "T"
    paper: ClassVar[str] = "Hori et al. 2017"
    kind: Literal["vgg_blstm"] = Field(description="which listener")
    n_channels: tuple[Width, Width] = Field((64, 128), description="channels of the convolutions of each block")
    d_hidden: Width = Field(512, description="width of each direction of each BLSTM, in units")
    d_projection: Width | None = Field(
        512, description="width to which each layer is projected, in units; null adds its two directions instead"
    )
    n_layers: Depth = Field(4, description="BLSTM layers above the convolutions")
    dropout: Dropout = Field(0.1, description="probability of dropping a value between layers in training")


class LstmSpeller(Section):
    """LSTM that is fed the last token and the last context (input feeding)."""

    complexity: ClassVar[str] = "U"
    paper: ClassVar[str] = "Chan et al. 2016; Luong et al. 2015"
    kind: Literal["lstm"] = Field(description="which speller")
    d_embedding: Width = Field(128, description="width of a token's embedding, in units")
    d_hidden: Width = Field(256, description="width of each LSTM layer, in units")
    n_layers: Depth = Field(1, description="LSTM layers")
    dropout: Dropout = Field(0.1, description="probability of dropping a value between layers in training")


class ParallelLstmSpeller(Section):
    """LSTM that is fed the last token alone, so that training spells all positions at once."""

    complexity: ClassVar[str] = "U"
    paper: ClassVar[str] = "Luong et al. 2015"
    kind: Literal["parallel_lstm"] = Field(description="which speller")
    d_embedding: Width = Field(128, description="width of a token's embedding, in units")
    d_hidden: Width = Field(256, description="width of each LSTM layer, in units")
    n_layers: Depth = Field(1, description="LSTM layers")
    dropout: Dropout = Field(0.1, description="probability of dropping a value between layers in training")


class TransformerSpeller(Section):
    """Transformer decoder with layer normalisation before each part; it brings its own attention, in every layer."""

    complexity: ClassVar[str] = "U² + U · S"
    paper: ClassVar[str] = "Vaswani et al. 2017; Xiong et al. 2020"
    kind: Literal["transformer"] = Field(description="which speller")
    d_model: Width = Field(256, description="width of embeddings and layers, in units; even")
    n_layers: Depth = Field(6, description="layers")
    n_heads: Annotated[int, Field(ge=1, le=64)] = Field(4, description="heads of each attention; they divide d_model")
    d_feed_forward: Width = Field(2048, description="width of the hidden layer after each attention, in units")
    dropout: Dropout = Field(0.1, description="probability of dropping a value in and between layers in training")

    @model_validator(mode="after")
    def _heads_have_a_width(self) -> Self:
        if self.d_model % 2 or self.d_model % self.n_heads:
            raise ValueError(f"d_model = {self.d_model}: expected an even multiple of n_heads = {self.n_heads}")
        return self


class ModelSection(Section):
    """The network: a listener turns features into states, attention and a speller turn states into tokens."""

    listener: (
        PyramidListener | ConvBlstmListener | VggBlstmListener | ConformerListener | EBranchformerListener | None
    ) = Field(None, discriminator="kind", description="the encoder, from features to states; null for a language model")
    attention: Attention | None = Field(
        None, discriminator="kind", description="how a recurrent speller looks at the states"
    )
    speller: LstmSpeller | ParallelLstmSpeller | TransformerSpeller | None = Field(
        None,
        discriminator="kind",
        description="the decoder, from states to tokens; a language model is one without states, of kind lstm or "
        "transformer; null for a task that writes no text",
    )

    @model_validator(mode="after")
    def _speller_can_use_the_attention(self) -> Self:
        if self.speller is None or self.listener is None:
            return self
        speller = self.speller.kind
        if speller in WITH_OWN_ATTENTION:
            if self.attention is not None:
                raise ValueError(
                    f"attention.kind = {self.attention.kind}: expected no section, since a speller of kind {speller} "
                    "brings its own attention; remove it, or set model.attention=null"
                )
            return self
        if self.attention is None:
            raise ValueError(f"attention: missing; a speller of kind {speller} needs one")
        if speller == "parallel_lstm" and self.attention.kind not in WITHOUT_A_PAST:
            raise ValueError(
                f"attention.kind = {self.attention.kind}: expected {' or '.join(WITHOUT_A_PAST)}, since a speller of "
                "kind parallel_lstm looks from all positions at once and this kind needs to know where it looked last"
            )
        return self
