"""`asr stats`: what manifests hold."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.errors import printable
from asr.cli.progress import progress_bar

if TYPE_CHECKING:
    from asr.corpora.stats import Statistics

_PICTURES = ("png", "svg", "pdf")
_BAR = 40


def stats(
    manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST...", help="JSONL files, from `asr prepare`.")],
    out: Annotated[
        Path | None, typer.Option(help="A picture (.png, .svg, .pdf), or everything as numbers (.json).")
    ] = None,
    key: Annotated[str, typer.Option(help="Key of the rows that holds the text, such as translation.")] = "text",
) -> None:
    """Count hours, speakers, words and characters; show durations, and letters that look out of place.

    Of several manifests it tells, too, which speakers and texts they share: test and train should share none.

    \b
    Examples:
      asr stats data/an4/train.jsonl data/an4/test.jsonl
      asr stats data/mine/train.jsonl --out train.png
    """
    suffix = out.suffix.lower().removeprefix(".") if out else ""
    if out and suffix not in (*_PICTURES, "json"):
        raise typer.BadParameter(f"{out}: expected a name that ends in .png, .svg, .pdf or .json")
    from asr.corpora.manifest import whole_file
    from asr.corpora.stats import as_json, join, read_statistics, shared

    parts = []
    for manifest in manifests:
        with progress_bar(str(manifest)) as progress:
            parts.append(read_statistics(manifest, key, progress))
    if suffix == "json":
        content = json.dumps([as_json(part) for part in parts], ensure_ascii=False, indent=1).encode()
    elif suffix:
        from asr.corpora.stats_picture import draw_statistics

        content = draw_statistics(parts, suffix)
    if out is not None:
        with whole_file(out) as file:
            file.write(content)
    whole = parts[0] if len(parts) == 1 else join(parts)
    _print_table(parts if len(parts) == 1 else [*parts, whole])
    for one, other, n_speakers, n_texts in shared(parts):
        print(printable(f"{one} and {other} share {n_speakers} speakers and {n_texts} texts"))
    _print_durations(whole)
    _print_odd(whole)


def _print_table(parts: "list[Statistics]") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("", *(escape(printable(part.name)) for part in parts))
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    rows = {
        "utterances": [f"{len(part.seconds):,}" for part in parts],
        "hours": [f"{sum(part.seconds) / 3600:.2f}" for part in parts],
        "seconds, shortest": [f"{min(part.seconds, default=0):.2f}" for part in parts],
        "seconds, 5 / 50 / 95 %": [_percentiles(part) for part in parts],
        "seconds, longest": [f"{max(part.seconds, default=0):.2f}" for part in parts],
        "speakers": [f"{len(part.speakers.keys() - {''}):,}" for part in parts],
        "languages": [_counts(part.languages) for part in parts],
        "sampling rates, Hz": [_counts({rate or "not told": n for rate, n in part.rates_hz.items()}) for part in parts],
        "words": [f"{part.words.total():,}" for part in parts],
        "different words": [f"{len(part.words):,}" for part in parts],
        "different texts": [f"{len(part.texts):,}" for part in parts],
        "empty texts": [f"{part.n_empty:,}" for part in parts],
        "characters": [f"{part.characters.total():,}" for part in parts],
        "different characters": [f"{len(part.characters):,}" for part in parts],
    }
    for name, values in rows.items():
        table.add_row(name, *(escape(value) for value in values))
    Console().print(table)


def _percentiles(part: "Statistics") -> str:
    found = part.percentiles()
    return " / ".join(f"{found[at]:.1f}" for at in (5, 50, 95)) if found else "–"


def _counts(counts: "dict[str, int] | dict[str | int, int]") -> str:
    """Names by frequency; numbers only where there is more than one."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    shown = [
        printable(str(name)) if len(ordered) == 1 else f"{printable(str(name))} ({n:,})" for name, n in ordered[:4]
    ]
    return ", ".join(shown) + (f" and {len(ordered) - 4} more" if len(ordered) > 4 else "")


def _print_durations(whole: "Statistics") -> None:
    histogram = whole.histogram()
    most = max((n for *_, n in histogram), default=0)
    if histogram:
        print("\nduration in seconds, utterances")
    for start, end, n in histogram:
        print(f"{start:8.2f} – {end:8.2f} {'█' * round(_BAR * n / most):<{_BAR}} {n:,}")


def _print_odd(whole: "Statistics") -> None:
    from asr.corpora.stats import N_RARE_SHOWN

    letters = "".join(sorted(character for character in whole.characters if character != " "))
    print(f"\ncharacters: {printable(letters)}")
    odd = whole.odd_characters()
    if odd:
        print("rare, or of another script than the rest; are they meant?")
    for each in odd[:N_RARE_SHOWN]:
        print(printable(f"  {each.character}  {each.name.lower()}: {each.count}, first in {each.first}"))
    if len(odd) > N_RARE_SHOWN:
        print(f"  and {len(odd) - N_RARE_SHOWN} more")
