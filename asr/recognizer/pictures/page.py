"""One picture of one utterance: log-mel, words, CTC posteriors, attention, one above the other on one axis of seconds.

Laid out by hand, in inches: automatic layout takes a second or more.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from asr.recognizer.pictures.fonts import families_for, n_columns
from asr.recognizer.pictures.maps import Map, by_alignment
from asr.recognizer.pictures.panels import draw_features, draw_map, draw_posteriors, draw_words, tidy
from asr.recognizer.pictures.style import INK
from asr.recognizer.pictures.words import Word, in_lines, name_of, row_labels, words_of
from asr.recognizer.sight import Sight
from asr.recognizer.transcript import clean

SUFFIXES = (".png", ".svg", ".pdf")
# Inches, all of them.
_TOP, _BOTTOM, _RIGHT, _GAP = 0.36, 0.46, 0.15, 0.3
_FEATURES, _POSTERIORS = 1.35, 0.95
_ROW, _LABEL, _LOWEST, _HIGHEST, _TOGETHER = 0.14, 0.09, 0.75, 7.0, 10.0  # maps of attention
_LETTER, _LINE, _N_LINES = 0.076, 0.155, 3  # words
_DATES: dict[str, dict[str, None]] = {
    ".png": {},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}  # left out: equal input, equal file


@dataclass(frozen=True)
class _Layout:
    width: float
    left: float
    maps: list[float]  # heights
    labels: dict[float, str]  # of rows of tokens
    lines: list[int | None]  # of words

    @property
    def axis(self) -> float:
        return self.width - self.left - _RIGHT


def draw(path: Path, sight: Sight, maps: Sequence[Map], title: str = "") -> None:
    """Draws what a model saw.

    Args:
        path: The picture; its suffix says the format, one of `SUFFIXES`.
        sight: Of one utterance.
        maps: The attention to draw, the first on top.
        title: Heading.

    Raises:
        ValueError: Another suffix.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{path}: the suffix is {path.suffix!r}, expected one of {', '.join(SUFFIXES)}")
    words = words_of(sight.pieces, sight.attention[by_alignment(sight.attention)[0]], sight.states_s)
    layout = _lay_out(sight, maps, words)
    title = clean(title) + _note(words, layout)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Letters stay letters in an SVG: they can be searched, and its reader may have the fonts that we have not.
    settings: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "asr"}
    # "$" is a letter, too.
    settings |= {"text.parse_math": False, "font.family": families_for(_all_text(sight, title))}
    with warnings.catch_warnings(), rc_context(settings):
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # drawn as a box, and that is all right
        _figure(sight, maps, words, layout, title).savefig(path, metadata=_DATES[suffix])


def _figure(sight: Sight, maps: Sequence[Map], words: Sequence[Word], layout: _Layout, title: str) -> Figure:
    figure, axes = _strips(sight, layout)
    draw_features(axes[0], sight)
    if sight.posteriors is not None:
        draw_posteriors(axes[1], sight, sight.posteriors, layout.axis / sight.duration_s)
    for place, shown in zip(axes[-len(maps) :], maps, strict=True):
        draw_map(place, shown, sight, words, layout.labels)
    draw_words(axes, words, layout.lines, 72 * _LINE)
    for place in axes:
        tidy(place)
    axes[-1].set_xlabel("time in seconds", color=INK, fontsize=8.5)
    corner = (0.1 / layout.width, 1 - 0.1 / figure.get_figheight())
    figure.text(*corner, title, color=INK, fontsize=10, va="top")
    return figure


def _note(words: Sequence[Word], layout: _Layout) -> str:
    if not words:
        return " (no words)"
    n_unnamed = layout.lines.count(None)
    return f" (no room to name {n_unnamed} of {len(words)} words)" if n_unnamed else ""


def _all_text(sight: Sight, title: str) -> str:
    """All that may be written."""
    spelt = [] if sight.posteriors is None else sight.posteriors.argmax(axis=1).tolist()
    return "".join([title, *map(name_of, sight.pieces), *(name_of(sight.vocabulary[token]) for token in spelt)])


def _lay_out(sight: Sight, maps: Sequence[Map], words: Sequence[Word]) -> _Layout:
    width = float(np.clip(1.2 * sight.duration_s, 8.0, 14.0) + np.clip(0.5 * (sight.duration_s - 12.0), 0.0, 10.0))
    highest = float(np.clip(_TOGETHER / len(maps), _LOWEST, _HIGHEST))
    wanted = [_ROW * len(shown.weights) if shown.rows == "tokens" else 0.45 * width for shown in maps]
    heights = [float(np.clip(height, min(1.2, highest), highest)) for height in wanted]
    labels = row_labels(sight.pieces, words, int(min(heights) / _LABEL))
    left = 0.6 + 0.065 * max(map(n_columns, labels.values()), default=0)
    seconds_per_inch = sight.duration_s / (width - left - _RIGHT)
    widths_s = [(_LETTER * n_columns(word.text) + 0.1) * seconds_per_inch for word in words]
    return _Layout(width, left, heights, labels, in_lines([word.time_s for word in words], widths_s, _N_LINES))


def _strips(sight: Sight, layout: _Layout) -> tuple[Figure, list[Axes]]:
    """The axes from top to bottom, with one extent in seconds."""
    n_lines = 1 + max((line for line in layout.lines if line is not None), default=0)
    words = 0.12 + n_lines * _LINE
    if sight.posteriors is None:
        heights, gaps = [_FEATURES, *layout.maps], [_TOP, words + _GAP, *[_GAP] * (len(layout.maps) - 1)]
    else:
        heights, gaps = [_FEATURES, _POSTERIORS, *layout.maps], [_TOP, words, *[_GAP] * len(layout.maps)]
    height = sum(heights) + sum(gaps) + _BOTTOM
    figure = Figure(figsize=(layout.width, height), dpi=110)
    axes: list[Axes] = []
    top = height
    for strip, gap in zip(heights, gaps, strict=True):
        top -= gap + strip
        place = (layout.left / layout.width, top / height, layout.axis / layout.width, strip / height)
        axes.append(figure.add_axes(place, xlim=(0, sight.duration_s), autoscalex_on=False))
        axes[-1].tick_params(labelbottom=len(axes) == len(heights))
    return figure, axes
