"""The figures of runs over their steps, drawn in the same axes."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

Rows = Sequence[Mapping[str, Any]]  # of metrics.jsonl


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        title: What is seen.
        unit: Of the values as drawn.
        figures: `group/name` in metrics.jsonl, and what to call it where there are several.
        scale: Drawn value over recorded one.
        top: Values above it are cut off, once a run has come below it.
        error: Figure that is the standard error of the first; two of them are shaded.
    """

    title: str
    unit: str
    figures: Mapping[str, str]
    scale: float = 1.0
    top: float = math.inf
    error: str = ""


_WALK = {
    "dev/monotonicity": "steps that do not go back",
    "dev/coverage": "audio it spans",
    "dev/entropy": "entropy, of the greatest",
    "dev/loop_share": "hypotheses in a loop",
}
PANELS = (
    Panel(
        "Loss in training",
        "nats per token",
        {
            "train/loss": "joint",
            "train/loss_attention": "speller",
            "train/loss_ctc": "CTC",
            "train/loss_guided": "off the diagonal",
        },
    ),
    Panel(
        "Errors on dev, greedy decoding",
        "% of words, of characters",
        {"dev/wer": "WER", "dev/cer": "CER", "average/wer": "WER of the average"},
        100.0,
        100.0,
    ),
    Panel(
        "Labels told wrongly on dev",
        "% of utterances",
        {"dev/error_rate": "error rate", "average/error_rate": "of the average"},
        100.0,
    ),
    Panel("Probability of the labels told on dev", "%", {"dev/confidence": ""}, 100.0),
    Panel("Translations of dev, greedy decoding", "BLEU", {"dev/bleu": "BLEU", "average/bleu": "BLEU of the average"}),
    Panel(
        "What chrF lacks on dev", "of 100", {"dev/chrf_gap": "chrF", "average/chrf_gap": "chrF of the average"}, 100.0
    ),
    Panel("Perplexity on dev", "per token", {"dev/perplexity": "of a run", "average/perplexity": "of the average"}),
    Panel("Perplexity on dev", "per word", {"dev/word_perplexity": "", "average/word_perplexity": "of the average"}),
    Panel("Word errors expected in training", "per hundred tokens", {"train/loss_word_errors": ""}, 100.0),
    Panel("Tokens guessed right in training", "% of tokens", {"train/accuracy": ""}, 100.0),
    Panel("Attention on dev", "%", _WALK, 100.0),
    Panel("Length of hypotheses on dev", "times the reference's tokens", {"dev/length_ratio": ""}),
    Panel(
        "What the own recording adds on dev, ± 2 errors",
        "nats per token",
        {"dev/listening_gain": ""},
        error="dev/listening_error",
    ),
    Panel("Learning rate", "of AdamW, in thousandths", {"train/lr": ""}, 1000.0),
    Panel("Gradient before clipping", "norm", {"train/gradient_norm": ""}),
    Panel("Wait for data", "% of the time", {"train/data_wait_share": ""}, 100.0),
    Panel("Speed", "s of audio per s", {"train/audio_s_per_s": ""}),
    Panel("Speed", "tokens per s", {"train/tokens_per_s": ""}),
    Panel("Speed against the machine's best", "% of peak", {"train/peak_share": ""}, 100.0),
)
# Told apart in grey, too: by lightness, by the kind of line and by the mark.
_COLOURS = ("#1b2540", "#f0a04b", "#3f74c8", "#8a8f9c", "#7a1f5c", "#2e9e83")
_MARKS = ("o", "s", "^", "D", "v", "P", "X")
_LINES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.2, 1.4)), (0, (6, 1.5, 1.2, 1.5)))
_STAR = {"marker": "*", "linestyle": "none", "markeredgecolor": "white"}
_INK, _GRID = "#1b2540", "#9aa5bd"
_N_COLUMNS = 3
_PANEL_INCHES = (4.9, 2.75)
_HEAD_INCHES, _LEGEND_INCHES = 0.55, 0.25
_MAX_MARKED, _N_MARKS = 40, 8  # a line of more points has this many marks, to tell runs apart


def points(rows: Rows, figure: str) -> list[tuple[int, float]]:
    """(step, value) of the finite values of `group/name`; empty where none was written."""
    group, name = figure.split("/")
    found = [(row["step"], row[name]) for row in rows if row["group"] == group and name in row]
    return [(step, value) for step, value in found if math.isfinite(value)]


def draw_curves(runs: Sequence[tuple[str, Rows]], title: str, kind: str) -> bytes:
    """Draws all figures that any of the runs has.

    Args:
        runs: Name and rows of each.
        title: Heading.
        kind: "svg" or "png".
    """
    panels = [panel for panel in PANELS if any(points(rows, name) for _, rows in runs for name in panel.figures)]
    n_rows = max(math.ceil(len(panels) / _N_COLUMNS), 1)
    head = _HEAD_INCHES + _LEGEND_INCHES * (math.ceil(len(runs) / _N_COLUMNS) if len(runs) > 1 else 0)
    width, height = _N_COLUMNS * _PANEL_INCHES[0], n_rows * _PANEL_INCHES[1] + head
    # Laid out by hand: automatic layout takes a second or more.
    figure = Figure(figsize=(width, height), dpi=100, facecolor="white")
    figure.subplots_adjust(
        left=0.85 / width, right=1 - 0.2 / width, bottom=0.55 / height, top=1 - (head + 0.3) / height,
        wspace=0.27, hspace=0.5,
    )  # fmt: skip
    figure.text(
        0.2 / width, 1 - 0.2 / height, title, fontsize=14, color=_INK, va="top", fontweight="bold", parse_math=False
    )
    if len(runs) > 1:
        _name_runs(figure, [name for name, _ in runs], 1 - _HEAD_INCHES / height)
    for place, panel in enumerate(panels, 1):
        _draw(figure.add_subplot(n_rows, _N_COLUMNS, place), panel, [rows for _, rows in runs])
    data = io.BytesIO()
    metadata = dict.fromkeys(("Date", "Creator", "Format", "Type")) if kind == "svg" else None
    figure.savefig(data, format=kind, metadata=metadata)
    return data.getvalue()


def _draw(axes: Axes, panel: Panel, runs: Sequence[Rows]) -> None:
    """One panel, from its lines to its ticks."""
    values = _plot(axes, panel, runs)
    axes.set_title(panel.title, fontsize=10.5, loc="left", color=_INK)
    axes.set_ylabel(panel.unit, fontsize=9, color=_INK)
    axes.set_xlabel("step", fontsize=9, color=_INK)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlim(left=0)
    _bound(axes, panel, min(values), max(values))
    drawn = [name for name in panel.figures if any(points(rows, name) for rows in runs)]
    if len(drawn) > 1:
        _name_figures(axes, panel, drawn, coloured=len(runs) == 1)
    axes.grid(color=_GRID, linewidth=0.5, alpha=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GRID)
    axes.tick_params(colors=_INK, color=_GRID, labelsize=8.5, length=2.5)


def _plot(axes: Axes, panel: Panel, runs: Sequence[Rows]) -> list[float]:
    """The lines: a run alone has a colour per figure, several have one each. Returns all values, as drawn."""
    drawn: list[float] = []
    for index, rows in enumerate(runs):
        errors = dict(points(rows, panel.error)) if panel.error else {}
        for place, name in enumerate(panel.figures):
            curve = points(rows, name)
            if not curve:
                continue
            style = _style(index if len(runs) > 1 else place, place, index, len(curve))
            if name.startswith("average/"):  # one number at the end of a run, no curve
                style |= _STAR | {"markersize": 11}
            values = [panel.scale * value for _, value in curve]
            axes.plot([step for step, _ in curve], values, **style)
            _shade(axes, curve, errors, style["color"])
            drawn += values
    return drawn


def _shade(axes: Axes, curve: Sequence[tuple[int, float]], errors: Mapping[int, float], colour: str) -> None:
    """Two standard errors around a curve, where they are known."""
    known = [(step, value, 2 * errors[step]) for step, value in curve if step in errors]
    if known:
        steps, values, widths = zip(*known, strict=True)
        low = [value - width for value, width in zip(values, widths, strict=True)]
        high = [value + width for value, width in zip(values, widths, strict=True)]
        axes.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)


def _bound(axes: Axes, panel: Panel, lowest: float, highest: float) -> None:
    """Shares and rates begin at 0; the first, wild values of a run do not flatten the rest."""
    if lowest < panel.top < highest:
        axes.set_ylim(0, panel.top)
        axes.text(
            0.99, 0.97, f"above {panel.top:g}: cut off", transform=axes.transAxes, ha="right", va="top", fontsize=8,
            color=_INK,
        )  # fmt: skip
    elif lowest >= 0 and highest > 0 and not panel.error:
        axes.set_ylim(0, 1.07 * highest)


def _style(colour: int, line: int, mark: int, n_points: int) -> dict[str, Any]:
    return {
        "color": _COLOURS[colour % len(_COLOURS)],
        "linestyle": _LINES[line % len(_LINES)],
        "linewidth": 1.5,
        "marker": _MARKS[mark % len(_MARKS)],
        "markersize": 4,
        "markevery": 1 if n_points <= _MAX_MARKED else n_points // _N_MARKS,
    }


def _name_figures(axes: Axes, panel: Panel, drawn: Sequence[str], coloured: bool) -> None:
    """A legend of the kinds of lines; in black where colours tell runs apart."""
    handles = []
    for place, name in enumerate(panel.figures):
        if name not in drawn:
            continue
        style = _style(place if coloured else 0, place, 0, 1) | {"marker": ""}
        if name.startswith("average/"):
            style |= _STAR | {"markersize": 10}
        handles.append(Line2D([], [], **style))
    legend = axes.legend(handles, ["x"] * len(handles), fontsize=8, framealpha=0.75, edgecolor="none", handlelength=2.6)
    _write(legend, [panel.figures[name] for name in panel.figures if name in drawn])


def _name_runs(figure: Figure, names: Sequence[str], top: float) -> None:
    """A legend of the runs, over all panels."""
    handles = [Line2D([], [], **_style(index, 0, index, 1)) for index in range(len(names))]
    legend = figure.legend(
        handles, ["x" * len(name) for name in names], loc="upper left", fontsize=10, ncols=_N_COLUMNS,
        bbox_to_anchor=(0.2 / figure.get_figwidth(), top), frameon=False, handlelength=2.6, borderaxespad=0,
    )  # fmt: skip
    _write(legend, names)


def _write(legend: Legend, names: Sequence[str]) -> None:
    """Sets the words as they are: given to `legend`, a leading "_" would hide one, and "$" begin a formula."""
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set(text=name, parse_math=False, color=_INK)
