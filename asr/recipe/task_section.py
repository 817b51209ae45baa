"""The section `task` of a recipe: what is to be made of an utterance, chosen by `kind`."""

from typing import Annotated, Literal

from pydantic import Field

from asr.recipe.section import Section

Key = Annotated[str, Field(min_length=1)]


class Transcribe(Section):
    """Write what was said; scored by word error rate."""

    kind: Literal["transcribe"] = Field(description="which task")

    @property
    def target(self) -> str:
        """The manifest's key under which the truth stands."""
        return "text"


class Translate(Section):
    """Write what was said in another language; scored by BLEU."""

    kind: Literal["translate"] = Field(description="which task")
    target: Key = Field("translation", description="the manifest's key that holds the text to write")
