"""The section `task` of a recipe: what is to be made of an utterance, chosen by `kind`."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from asr.recipe.model_section import Dropout, Width
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


class Classify(Section):
    """Name the utterance, by attention pooling over the listener's states (Lin et al. 2017); scored by accuracy."""

    kind: Literal["classify"] = Field(description="which task")
    label: Key = Field(description="the manifest's key that holds the label, such as text or speaker")
    n_heads: Annotated[int, Field(ge=1, le=64)] = Field(4, description="heads of the pooling")
    d_attention: Width = Field(128, description="width of the space in which the pooling judges states, in units")
    dropout: Dropout = Field(0.1, description="probability of dropping a pooled value in training")

    @property
    def target(self) -> str:
        """The manifest's key under which the truth stands."""
        return self.label


TO_WRITE = ("tokenizer", "model.speller")
"""Sections that a task needs to write text."""

TO_CLASSIFY = {"objective": {"label_smoothing"}, "search": {"batch_s"}}
"""What of the sections that every recipe has is of use without text."""


def check_use(kind: str, sections: Mapping[str, Section | None]) -> None:
    """Sees to it that a recipe has what its task needs, and nothing that would be ignored.

    Args:
        kind: Of the task.
        sections: `TO_WRITE`, `model.attention` and those of `TO_CLASSIFY`, by their dotted keys.

    Raises:
        ValueError: A section is missing, or a key has no meaning.
    """
    if kind != "classify":
        missing = [key for key in TO_WRITE if sections[key] is None]
        if missing:
            raise ValueError(f"{missing[0]}: missing; task.kind = {kind} writes text")
        return
    for key, section in sections.items():
        if section is None:
            continue
        names = [key]
        if key in TO_CLASSIFY:
            fields = type(section).model_fields
            set_ = [name for name in fields if getattr(section, name) != fields[name].default]
            names = [f"{key}.{name}" for name in set_ if name not in TO_CLASSIFY[key]]
        if names:
            raise ValueError(f"{names[0]}: leave it out; task.kind = classify writes no text")
