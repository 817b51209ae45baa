"""A picture of what the model listened to for each token: log-mel above, attention below, one axis of seconds."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from asr.recognizer.transcript import clean

_INK = "#1b2540"
_GRID = "#9aa5bd"
_WORD = "#c2410c"
_ATTENTION_COLOURS = LinearSegmentedColormap.from_list(
    "attention", ["#ffffff", "#c9d8f2", "#5a86d6", "#1f3f8f", "#0b1530"]
)
_WORD_START = "\u2581"  # sentencepiece's mark
_SPECIAL = {"</s>": "end", "<s>": "start", "<unk>": "?", "<pad>": "blank"}
_MAX_TOKEN_LABELS = 72  # more than that cannot be read: then the words alone are named
_MAX_LABEL = 16  # characters
_N_LABEL_ROWS = 3


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    first: int  # rows of the attention that spell it: first .. last
    last: int
    time_s: float  # where it was attended


def attention_picture(
    path: Path, features: np.ndarray, weights: np.ndarray, pieces: Sequence[str], duration_s: float, title: str = ""
) -> None:
    """Draws log-mel and attention of one utterance, the words named at the times they were attended.

    Args:
        path: The picture; its suffix, .png or .svg, says the format.
        features: (T, M) log-mel.
        weights: (U, S) attention; row u is what the u-th token attended.
        pieces: The U tokens as `Tokenizer.pieces` names them: a word's first piece begins with "▁".
        duration_s: Length of the audio; T frames and S states are spread evenly over it.
        title: Heading.

    Raises:
        ValueError: Suffix or shapes are not as above.
    """
    if path.suffix.lower() not in (".png", ".svg"):
        raise ValueError(f"{path}: the picture's suffix is {path.suffix!r}, expected .png or .svg")
    if features.ndim != 2 or weights.ndim != 2 or len(weights) != len(pieces):
        raise ValueError(
            f"features {features.shape}, weights {weights.shape}, {len(pieces)} pieces: expected (T, M), (U, S) and U"
        )
    words = _words(weights, pieces, duration_s)
    labels = _labels(pieces, words)
    figure, above, below = _panels(duration_s, len(pieces), max((len(text) for text in labels.values()), default=0))
    _draw_features(above, features, duration_s)
    _draw_attention(below, weights, words, labels, duration_s)
    _name_words(above, below, words, figure.get_figwidth() / max(duration_s, 1e-3))
    if title:
        figure.suptitle(clean(title), color=_INK, fontsize=10, x=0.01, ha="left", parse_math=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # drawn as a box, and that is all right
        figure.savefig(path)


def _words(weights: np.ndarray, pieces: Sequence[str], duration_s: float) -> list[_Word]:
    """Joins pieces to words; a word's time is the median over its pieces of the most attended state's middle."""
    groups: list[list[int]] = []
    for u, piece in enumerate(pieces):
        if piece in _SPECIAL and piece != "<unk>":
            continue
        if piece.startswith(_WORD_START) or not groups or groups[-1][-1] != u - 1:
            groups.append([])
        groups[-1].append(u)
    peaks_s = (weights.argmax(axis=1) + 0.5) * duration_s / weights.shape[1] if weights.size else np.zeros(len(weights))
    words = []
    for group in groups:
        text = clean("".join(_SPECIAL.get(pieces[u], pieces[u]) for u in group).replace(_WORD_START, ""))
        if text:
            letters = [u for u in group if pieces[u] != _WORD_START]
            words.append(_Word(text, group[0], group[-1], float(np.median(peaks_s[letters]))))
    return words


def _labels(pieces: Sequence[str], words: Sequence[_Word]) -> dict[float, str]:
    """Row to name: every token while there is room, else every word at its middle."""
    if len(pieces) > _MAX_TOKEN_LABELS:
        return {(word.first + word.last) / 2: word.text[:_MAX_LABEL] for word in words}
    names = (_SPECIAL.get(piece, piece.replace(_WORD_START, "") or "\u2423") for piece in pieces)
    return {u: clean(name)[:_MAX_LABEL] for u, name in enumerate(names)}


def _panels(duration_s: float, n_tokens: int, n_label_chars: int) -> tuple[Figure, Axes, Axes]:
    """Two axes one above the other; laid out by hand in inches, since automatic layout takes a second or more."""
    width = float(np.clip(1.2 * duration_s, 8.0, 14.0))
    upper, lower, gap = 1.7, float(np.clip(0.14 * n_tokens, 1.6, 7.0)), 0.62
    bottom, top = 0.5, 0.35
    height = bottom + lower + gap + upper + top
    left = 0.6 + 0.065 * n_label_chars
    figure = Figure(figsize=(width, height), dpi=110)
    below = figure.add_axes((left / width, bottom / height, 1 - (left + 0.2) / width, lower / height))
    above = figure.add_axes(
        (left / width, (bottom + lower + gap) / height, 1 - (left + 0.2) / width, upper / height), sharex=below
    )
    above.tick_params(labelbottom=False)
    return figure, above, below


def _draw_features(axes: Axes, features: np.ndarray, duration_s: float) -> None:
    finite = features[np.isfinite(features)]
    low, high = np.percentile(finite, [3, 99.7]) if finite.size else (0.0, 1.0)
    axes.imshow(
        features.T, origin="lower", aspect="auto", extent=(0, duration_s, 0, features.shape[1]),
        cmap="magma", vmin=low, vmax=high, interpolation="nearest",
    )  # fmt: skip
    axes.set_ylabel("mel band", color=_INK, fontsize=8.5)
    _tidy(axes)


def _draw_attention(
    axes: Axes, weights: np.ndarray, words: Sequence[_Word], labels: dict[float, str], duration_s: float
) -> None:
    if not weights.size:
        axes.text(
            0.5,
            0.5,
            "no tokens: nothing was recognised",
            transform=axes.transAxes,
            ha="center",
            va="center",
            color=_INK,
        )
        axes.set_yticks([])
    else:
        # The strongest weight of a sharp head is near 1, of a blurred one far below: scale by the picture's own.
        axes.imshow(
            weights, origin="upper", aspect="auto", extent=(0, duration_s, len(weights) - 0.5, -0.5),
            cmap=_ATTENTION_COLOURS, vmin=0.0, vmax=max(float(np.nanpercentile(weights.max(axis=1), 90)), 1e-6),
            interpolation="nearest",
        )  # fmt: skip
        axes.set_yticks(list(labels), list(labels.values()))
        for label in axes.get_yticklabels():
            label.set(parse_math=False)
        for word in words:
            axes.axhline(word.first - 0.5, color=_GRID, linewidth=0.5, alpha=0.6)
    axes.set_xlim(0, duration_s)
    axes.set_xlabel("time in seconds", color=_INK, fontsize=8.5)
    axes.set_ylabel("tokens, first at the top", color=_INK, fontsize=8.5)
    _tidy(axes)


def _name_words(above: Axes, below: Axes, words: Sequence[_Word], inches_per_s: float) -> None:
    """Writes each word between the two panels at its time, in the first of three rows where it fits."""
    free_from = [-np.inf] * _N_LABEL_ROWS
    for word in sorted(words, key=lambda word: word.time_s):
        above.axvline(word.time_s, color="white", linewidth=0.7, alpha=0.5, linestyle=(0, (4, 3)))
        below.axvline(word.time_s, color=_WORD, linewidth=0.7, alpha=0.5, linestyle=(0, (4, 3)))
        half_s = (0.038 * len(word.text) + 0.05) / inches_per_s
        row = next((row for row in range(_N_LABEL_ROWS) if free_from[row] <= word.time_s - half_s), None)
        row = int(np.argmin(free_from)) if row is None else row
        free_from[row] = word.time_s + half_s
        above.annotate(
            word.text, (word.time_s, 0), xycoords=("data", "axes fraction"), xytext=(0, -5 - 11 * row),
            textcoords="offset points", ha="center", va="top", fontsize=8.5, color=_WORD, parse_math=False,
            annotation_clip=False,
        )  # fmt: skip


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GRID)
    axes.tick_params(colors=_INK, length=2.5, color=_GRID, labelsize=7.5)
