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


class LanguageModelling(Section):
    """Foresee text from its own beginning, for searches to ask; scored by perplexity. `data` names texts."""

    kind: Literal["language_model"] = Field(description="which task")

    @property
    def target(self) -> str:
        """What stands in a text."""
        return "text"


NEEDED = {
    "transcribe": ("model.listener", "tokenizer", "model.speller"),
    "translate": ("model.listener", "tokenizer", "model.speller"),
    "classify": ("model.listener",),
    "language_model": ("tokenizer", "model.speller"),
}
"""Sections that a task cannot do without."""

OF_NO_USE: dict[str, tuple[str, ...]] = {
    "classify": ("tokenizer", "model.attention", "model.speller"),
    "language_model": ("model.listener", "model.attention"),
}
"""Sections that have no meaning for a task."""

PARTLY_OF_USE: dict[str, dict[str, set[str]]] = {
    "classify": {"objective": {"label_smoothing"}, "search": {"batch_s"}},
    "language_model": {
        "data": {"train", "dev", "language", "batch_tokens", "n_buckets", "n_workers"},
        "features": set(),
        "augment": set(),
        "objective": {"label_smoothing"},
        "search": set(),
    },
}
"""What of the sections that every recipe has is of use to a task; the others are, whole, if they are not listed."""

WHY = {"classify": "writes no text", "language_model": "hears nothing"}


def check_use(kind: str, sections: Mapping[str, Section | None]) -> None:
    """Sees to it that a recipe has what its task needs, and nothing that would be ignored.

    Args:
        kind: Of the task.
        sections: Those of the recipe, by their dotted keys.

    Raises:
        ValueError: A section is missing, or a key has no meaning.
    """
    for key in NEEDED[kind]:
        if sections[key] is None:
            why = "listens" if key == "model.listener" else "writes text"
            raise ValueError(f"{key}: missing; task.kind = {kind} {why}")
    for key in OF_NO_USE.get(kind, ()):
        if sections[key] is not None:
            raise ValueError(f"{key}: leave it out; task.kind = {kind} {WHY[kind]}")
    for key, useful in PARTLY_OF_USE.get(kind, {}).items():
        section = sections[key]
        assert section is not None  # every recipe has it
        fields = type(section).model_fields
        set_ = [name for name in fields if name not in useful and getattr(section, name) != fields[name].default]
        if set_:
            raise ValueError(f"{key}.{set_[0]}: leave it out; task.kind = {kind} {WHY[kind]}")
