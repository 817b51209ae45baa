"""What became of runs, on one page: curves, alarms, skipped batches, and where attention went first and last."""

import base64
import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from asr.recipe.yaml_reader import YamlError, read_yaml
from asr.recognizer.curves import draw_curves, points
from asr.recognizer.model_folder import RECIPE_FILE
from asr.recognizer.transcript import clean
from asr.training.trainer import PERPLEXITY

_ALARM, _SKIPPED = "ALIGNMENT: ", "the gradient is "
_TIME = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")
MEASURES = {"chrf_gap": "100 - chrF", "wer": "WER", "error_rate": "error rate", "perplexity": "perplexity per token"}
_USES = {"error_rate": "classify --model {}/best recording.flac", "perplexity": "evaluate --model {}/best test.txt"}
_PNG_END = b"IEND\xaeB`\x82"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 90rem; margin: 2rem auto; padding: 0 1rem; color: #1b2540 }
svg { width: 100%; height: auto }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { text-align: left; vertical-align: top; padding: .2rem 1.2rem .2rem 0; border-bottom: 1px solid #9aa5bd }
.pair { display: flex; flex-wrap: wrap; gap: 1rem }
figure { flex: 1 1 28rem; margin: 0 }
figure img { max-width: 100% }
pre, code { font: 13px/1.4 ui-monospace, monospace }
pre { background: #f3f5f9; padding: .8rem; overflow-x: auto }
.alarm { border-left: 4px solid #c2410c; padding-left: .8rem }
"""


class ReportError(ValueError):
    """A run cannot be reported on; the message names the file."""


@dataclass(frozen=True)
class Run:
    """What an experiment's folder tells of its run.

    Attributes:
        folder: Where it is.
        rows: Of metrics.jsonl, each with `step` and `group`.
        alarms: From train.log: what was told, and the times at which it was.
        skipped: From train.log: batches whose gradient was not finite.
        pictures: Attention on one utterance: step and PNG of the first and the newest.
        recipe: The resolved recipe's YAML; None where there is none.
    """

    folder: Path
    rows: list[dict[str, Any]]
    alarms: dict[str, list[str]]
    skipped: list[str]
    pictures: list[tuple[int, bytes]]
    recipe: str | None

    @property
    def is_finished(self) -> bool:
        """Whether the best models have been averaged, which is a run's last act."""
        return any(row["group"] == "average" for row in self.rows)

    @property
    def measure(self) -> str:
        """What its models are chosen by, as metrics.jsonl names it."""
        return next((name for name in MEASURES if points(self.rows, f"dev/{name}")), "wer")


def read_run(folder: Path) -> Run:
    """Reads an experiment, also one that is still running.

    Raises:
        ReportError: metrics.jsonl is missing, is empty or holds a line that is no row of figures.
    """
    rows = _rows(folder / "metrics.jsonl")
    log = folder / "train.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    alarms: dict[str, list[str]] = {}
    for line in lines:
        time = _TIME.match(line)
        text = line[time.end() if time else 0 :]
        if text.startswith(_ALARM):
            alarms.setdefault(text.removeprefix(_ALARM), []).append(time.group().strip() if time else "")
    recipe = folder / RECIPE_FILE
    return Run(
        folder,
        rows,
        alarms,
        [line for line in lines if _SKIPPED in line],
        _pictures(folder / "attention"),
        recipe.read_text(encoding="utf-8", errors="replace") if recipe.is_file() else None,
    )


def report(folders: Sequence[Path], out: Path) -> Path:
    """Writes a self-contained page (.html), or the curves alone (.png).

    Args:
        folders: Experiments, drawn in the same axes.
        out: The file.

    Raises:
        ReportError: A run cannot be read, or `out` has another suffix.
    """
    kind = out.suffix.lower()
    if kind not in (".html", ".png"):
        raise ReportError(f"{out}: the suffix is {out.suffix!r}, expected .html or .png")
    runs = [read_run(folder) for folder in folders]
    names = _names(folders)
    title = ", ".join(names)
    named = [(name, run.rows) for name, run in zip(names, runs, strict=True)]
    image = draw_curves(named, title if len(runs) == 1 else f"{len(runs)} runs", "png" if kind == ".png" else "svg")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(image if kind == ".png" else _page(title, names, runs, image.decode()).encode(errors="replace"))
    return out


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise ReportError(f"{path}: there is no such file; expected the folder of an experiment, as asr train made it")
    text = path.read_text(encoding="utf-8", errors="replace")
    # What follows the last newline is still being written.
    rows = [_row(path, number, line) for number, line in enumerate(text.split("\n")[:-1], 1)]
    if not rows:
        raise ReportError(f"{path}: holds no figures yet; the first come after 20 steps or the first validation")
    return rows


def _row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    is_row = isinstance(row, dict) and isinstance(row.get("group"), str) and isinstance(row.get("step"), int)
    if not is_row or not all(isinstance(value, int | float) for name, value in row.items() if name != "group"):
        raise ReportError(
            f'{path}:{number}: {line[:80]!r}: expected a row of figures, {{"step": 20, "group": "train", …}}; remove '
            "the line"
        )
    return dict(row)


def _pictures(folder: Path) -> list[tuple[int, bytes]]:
    """The first and the newest; one that is still being written does not count."""
    found = [(path, path.read_bytes()) for path in sorted(folder.glob("step-*.png")) if path.stem[5:].isdecimal()]
    whole = [(int(path.stem[5:]), image) for path, image in found if image.endswith(_PNG_END)]
    return [whole[0], whole[-1]] if len(whole) > 1 else whole


def _names(folders: Sequence[Path]) -> list[str]:
    """Short where that tells them apart."""
    names = [clean(folder.resolve().name) for folder in folders]
    return names if len(set(names)) == len(names) else [clean(str(folder)) for folder in folders]


def _page(title: str, names: Sequence[str], runs: Sequence[Run], svg: str) -> str:
    sections = "".join(_section(name, run) for name, run in zip(names, runs, strict=True))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n{_summary(names, runs)}"
        f"{svg[svg.index('<svg') :]}\n{_differences(names, runs)}{sections}</body></html>\n"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Escapes every cell."""
    lines = [("th", head), *(("td", row) for row in rows)]
    return (
        "<table>"
        + "".join(f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>\n" for tag, cells in lines)
        + "</table>\n"
    )


def _summary(names: Sequence[str], runs: Sequence[Run]) -> str:
    """A row per run: how far, how good."""
    rows = []
    for name, run in zip(names, runs, strict=True):
        best = min(points(run.rows, f"dev/{run.measure}"), key=lambda point: point[1], default=None)
        average = points(run.rows, f"average/{run.measure}")
        rows.append(
            [
                name,
                f"{run.rows[-1]['step']}{', finished' if run.is_finished else ''}",
                MEASURES[run.measure],
                f"{_told(run.measure, best[1])} at step {best[0]}" if best else "none yet",
                _told(run.measure, average[-1][1]) if average else "none yet",
                str(sum(map(len, run.alarms.values()))),
                str(len(run.skipped)),
            ]
        )
    head = ("run", "step", "on dev", "best", "of the average", "alarms", "skipped batches")
    return _table(head, rows)


def _told(measure: str, value: float) -> str:
    return f"{value:.3f}" if measure == PERPLEXITY else f"{100 * value:.2f} %"


def _differences(names: Sequence[str], runs: Sequence[Run]) -> str:
    """Where the recipes of several runs differ."""
    recipes = [_flat(run.recipe or "") for run in runs]
    keys = dict.fromkeys(key for recipe in recipes for key in recipe)
    rows = [[key, *(recipe.get(key, "–") for recipe in recipes)] for key in keys]
    differing = [row for row in rows if len(set(row[1:])) > 1]
    return "<h2>Where the recipes differ</h2>\n" + _table(["key", *names], differing) if differing else ""


def _flat(recipe: str) -> dict[str, str]:
    """Dotted key to value; a recipe that cannot be read has none."""
    try:
        values = read_yaml(recipe).value
    except YamlError:
        return {}
    found: dict[str, str] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{prefix}.{key}" if prefix else str(key), inner)
        else:
            found[prefix] = json.dumps(value, ensure_ascii=False)

    walk("", values)
    found.pop("", None)
    return found


def _section(name: str, run: Run) -> str:
    """One run's alarms, pictures, recipe and command."""
    pictures = "".join(
        f'<figure><img alt="attention at step {step}" src="data:image/png;base64,{base64.b64encode(image).decode()}">'
        f"<figcaption>Attention at step {step}, on the longest utterance of dev</figcaption></figure>\n"
        for step, image in run.pictures
    )
    folder = shlex.quote(str(run.folder))
    if run.is_finished:
        use = _USES.get(run.measure, "transcribe --model {}/best recording.flac")
        command, why = f"asr {use.format(folder)}", "To use it"
    else:
        command, why = f"asr train {folder}/{RECIPE_FILE} --out {folder}", "To go on from its last checkpoint"
    recipe = f"<details><summary>Recipe</summary><pre>{escape(run.recipe)}</pre></details>\n" if run.recipe else ""
    return (
        f"<h2>{escape(name)}</h2>\n{_events(run)}<div class='pair'>{pictures}</div>\n"
        f"<p>{why}: <code>{escape(command)}</code></p>\n{recipe}"
    )


def _events(run: Run) -> str:
    """Alarms, the newest first, and skipped batches."""
    newest = max((time for times in run.alarms.values() for time in times), default="")
    parts = []
    for text, times in sorted(run.alarms.items(), key=lambda alarm: alarm[1][-1], reverse=True):
        often = f", {len(times)} times" if len(times) > 1 else ""
        alarm = f"<p class='alarm'><b>{escape(times[-1])}{often}</b><br>{escape(text)}</p>\n"
        parts.append(
            alarm if times[-1] == newest else f"<details><summary>{escape(times[-1])}</summary>{alarm}</details>\n"
        )
    alarms = "<h3>Alarms about alignment</h3>\n" + "".join(parts) if parts else "<p>No alarm about alignment.</p>\n"
    skipped = "".join(f"<li>{escape(line)}</li>\n" for line in run.skipped)
    return alarms + (f"<h3>Skipped batches</h3>\n<ul>{skipped}</ul>\n" if skipped else "<p>No batch was skipped.</p>\n")
