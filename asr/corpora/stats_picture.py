"""A picture of what manifests hold: durations, characters, words by rank, utterances by speaker."""

import io
from collections.abc import Callable
from typing import Any

from asr.corpora.stats import Statistics, join

_N_CHARACTERS = 60


def draw_statistics(parts: list[Statistics], suffix: str) -> bytes:
    """Draw manifests beside each other.

    Args:
        parts: one for each manifest.
        suffix: "png", "svg" or "pdf".

    Returns:
        The picture's file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8), layout="constrained")
    drawn = [part for part in parts if part.seconds]
    panels: list[tuple[str, Callable[[Any, list[Statistics]], None]]] = [
        ("duration in seconds, and the share of utterances per second", _draw_durations),
        ("characters, and the share of each", _draw_characters),
        ("rank of a word, and how often it is there", _draw_words),
        ("rank of a speaker, and their utterances", _draw_speakers),
    ]
    for axes, (title, draw) in zip(figure.subplots(2, 2).flat, panels, strict=True):
        axes.set_title(title, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        if drawn:
            draw(axes, drawn)
    content = io.BytesIO()
    figure.savefig(content, format=suffix, dpi=120)
    return content.getvalue()


def _draw_durations(axes: Any, parts: list[Statistics]) -> None:
    for part in parts:
        starts, ends, counts = zip(*part.histogram(), strict=True)
        n_all = sum(counts)
        shares = [n / n_all / (end - start) for start, end, n in zip(starts, ends, counts, strict=True)]
        name = f"{_plain_text(part.name)}, {sum(part.seconds) / 3600:.2f} h"
        axes.step([*starts, ends[-1]], [*shares, 0.0], where="post", label=name)
    axes.legend()


def _draw_characters(axes: Any, parts: list[Statistics]) -> None:
    order = [character for character, _ in join(parts).characters.most_common(_N_CHARACTERS)]
    for part in parts:
        n_all = max(1, part.characters.total())
        axes.plot([part.characters[character] / n_all or float("nan") for character in order], ".-")
    axes.set_xticks(range(len(order)), ["␣" if c == " " else _plain(c) for c in order], fontsize=7)
    axes.set_yscale("log")


def _plain_text(text: str) -> str:
    return "".join(map(_plain, text))


def _plain(character: str) -> str:
    """Letters that the bundled font draws; the rest by number, which raises no warning about a missing glyph."""
    return (
        character.replace("$", r"\$") if ord(character) < 0x250 and character.isprintable() else f"{ord(character):x}"
    )


def _draw_words(axes: Any, parts: list[Statistics]) -> None:
    for part in parts:
        counts = sorted(part.words.values(), reverse=True)
        axes.loglog(range(1, len(counts) + 1), counts)


def _draw_speakers(axes: Any, parts: list[Statistics]) -> None:
    for part in parts:
        counts = sorted(part.speakers.values(), reverse=True)
        axes.plot(range(1, len(counts) + 1), counts, ".-", markersize=3)
    axes.set_ylim(bottom=0)
