"""The strips of a picture: log-mel, CTC posteriors, maps of attention, and the words between them."""

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes

from asr.recognizer.pictures.fonts import n_columns
from asr.recognizer.pictures.maps import Map
from asr.recognizer.pictures.style import ATTENTION, BLANK, GRID, INK, TOKENS, WORD
from asr.recognizer.pictures.words import Word, in_lines, name_of
from asr.recognizer.sight import Sight
from asr.recognizer.transcript import clean
from asr.text.tokenizer import Tokenizer

_SEEN, _NAMED = 0.05, 0.2  # a token whose posterior never gets this far is not drawn; below this, it is not named
_FLAT = 4.0  # a weight so many times that of even attention is dark in the blurred map of a head
_LETTER = 0.068  # inches


def draw_features(axes: Axes, sight: Sight) -> None:
    """Log-mel, from the 3rd to the 99.7th percentile."""
    finite = sight.features[np.isfinite(sight.features)]
    low, high = np.percentile(finite, [3, 99.7]) if finite.size else (0.0, 1.0)
    axes.imshow(
        sight.features.T, origin="lower", aspect="auto", extent=(*sight.frames_s, 0, sight.features.shape[1]),
        cmap="magma", vmin=low, vmax=high, interpolation="nearest",
    )  # fmt: skip
    axes.set_ylabel("mel band", color=INK, fontsize=8.5)


def draw_posteriors(axes: Axes, sight: Sight, posteriors: np.ndarray, inches_per_s: float) -> None:
    """CTC: blank in grey; each token that it believes in as a curve, and named where it is the likeliest."""
    start, end = sight.states_s
    times_s = start + (np.arange(len(posteriors)) + 0.5) * (end - start) / len(posteriors)
    axes.plot(times_s, posteriors[:, Tokenizer.blank], color=BLANK, linewidth=0.9)
    seen = np.flatnonzero(posteriors.max(axis=0) >= _SEEN)
    tokens = [int(token) for token in seen[np.argsort(posteriors[:, seen].argmax(axis=0))] if token != Tokenizer.blank]
    colours = {token: TOKENS[number % len(TOKENS)] for number, token in enumerate(tokens)}
    for token in tokens:
        curve = posteriors[:, token]
        high = np.pad(curve >= _SEEN / 2, 1)
        rises = high[:-2] | high[1:-1] | high[2:]  # not along the bottom, where all would lie
        axes.plot(times_s, np.where(rises, curve, np.nan), color=colours[token], linewidth=1.1)
        axes.fill_between(times_s, curve, where=rises, color=colours[token], alpha=0.12, linewidth=0)
    named = [(token, state) for token, state in emissions_of(posteriors) if posteriors[state, token] >= _NAMED]
    names = [(name_of(sight.vocabulary[token]), float(times_s[state]), colours[token]) for token, state in named]
    _name_tokens(axes, names, inches_per_s)
    axes.set_yticks([0, 1])
    axes.set_ylabel("CTC", color=INK, fontsize=8.5)


def _name_tokens(axes: Axes, named: Sequence[tuple[str, float, str]], inches_per_s: float) -> None:
    """Writes names, at times, in colours, above the curves; in two lines where one is too short."""
    widths_s = [_LETTER * n_columns(name) / inches_per_s for name, _, _ in named]
    lines = in_lines([at_s for _, at_s, _ in named], widths_s, 2)
    for (name, at_s, colour), line in zip(named, lines, strict=True):
        if line is not None:
            axes.text(at_s, 1.05 + 0.17 * line, name, color=colour, fontsize=7.5, ha="center", va="bottom")
    axes.set_ylim(0, 1.2 + 0.17 * (1 in lines))


def emissions_of(posteriors: np.ndarray) -> list[tuple[int, int]]:
    """Tokens of CTC's best path (Graves et al. 2006), each with the state at which it is the likeliest."""
    found = []
    for token, run in groupby(enumerate(posteriors.argmax(axis=1)), key=lambda each: each[1]):
        states = [state for state, _ in run]
        if token != Tokenizer.blank:
            found.append((int(token), states[int(posteriors[states, token].argmax())]))
    return found


def draw_map(axes: Axes, shown: Map, sight: Sight, words: Sequence[Word], labels: Mapping[float, str]) -> None:
    """Attention, dark where it is strong; rows of tokens have these labels."""
    weights, of_tokens = np.nan_to_num(shown.weights), shown.rows == "tokens"
    # The strongest weight of a sharp head is near 1, of a blurred one far below: scale by the picture's own. But what
    # looks everywhere alike stays pale.
    n_states = weights.shape[1]
    darkest = max(float(np.percentile(weights.max(axis=1), 90)), min(_FLAT / n_states, 1.0))
    rows = (len(weights) - 0.5, -0.5) if of_tokens else (sight.states_s[1], sight.states_s[0])
    axes.imshow(
        weights, origin="upper", aspect="auto", extent=(*sight.states_s, *rows), cmap=ATTENTION, vmin=0.0,
        vmax=darkest, interpolation="nearest",
    )  # fmt: skip
    axes.set_title(clean(shown.title), fontsize=8.5, loc="left", color=INK, pad=4)
    axes.set_title(f"darkest: {darkest:.2g} and above", fontsize=7, loc="right", color=GRID, pad=4)
    if not of_tokens:
        axes.set_ylabel("looking from, s", color=INK, fontsize=8.5)
        return
    axes.set_yticks(list(labels), list(labels.values()))
    starts = [word.first - 0.5 for word in words]
    faint = min(0.6, 3.0 / max(len(words), 1))
    axes.hlines(starts, 0, 1, GRID, transform=axes.get_yaxis_transform(), linewidth=0.5, alpha=max(faint, 0.1))


def draw_words(strips: Sequence[Axes], words: Sequence[Word], lines: Sequence[int | None], points: float) -> None:
    """A mark through all strips at each word's time; under the first strip its text, in lines so many points apart."""
    first, *others = strips
    times_s = [word.time_s for word in words]
    for axes in strips:
        colour, across = "white" if axes is first else WORD, axes.get_xaxis_transform()
        axes.vlines(times_s, 0, 1, colour, (0, (4, 3)), transform=across, linewidth=0.7, alpha=0.5)
    for word, line in zip(words, lines, strict=True):
        if line is not None:
            first.annotate(
                word.text, (word.time_s, 0), xycoords=("data", "axes fraction"), xytext=(0, -5 - points * line),
                textcoords="offset points", ha="center", va="top", fontsize=8.5, color=WORD,
                annotation_clip=False,
            )  # fmt: skip


def tidy(axes: Axes) -> None:
    """Thin, quiet axes."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)
    axes.tick_params(colors=INK, length=2.5, color=GRID, labelsize=7.5)
