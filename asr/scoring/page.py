"""A score as one page that opens offline: where the errors are, which words, and every utterance with its alignment.

The page holds no markup from outside: texts are escaped, or go as JSON to a script that sets them as text. Its policy
(CSP) allows this script and this style by their hashes, and nothing from any network.
"""

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from asr.scoring.breakdown import Grouping, frequent_errors, groupings
from asr.scoring.calibration import reliability
from asr.scoring.charts import bar, reliability_plot
from asr.scoring.corpus import CorpusScore, UtteranceScore
from asr.scoring.errors import AlignedPair, align_words
from asr.scoring.evidence import Evidence, link
from asr.scoring.loudness import METHOD
from asr.scoring.printable import printable

_N_FREQUENT = 50
_N_GROUPS = 1000


def render_page(score: CorpusScore, evidence: Evidence, title: str, about: Mapping[str, Any], folder: Path) -> str:
    """Renders report.html.

    Args:
        score: To be told.
        evidence: What there is beside texts.
        title: Of the page, such as the name of the test set.
        about: What produced the score; its plain values are listed.
        folder: Where the page will lie: links to audio are relative to it.
    """
    alignments = [align_words(each.reference, each.hypothesis) for each in score.utterances]
    style, script = (files("asr.scoring").joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; "
        "media-src 'self' data: file:; base-uri 'none'; form-action 'none'"
    )
    body = [
        _head(score, title, about),
        *(_grouping(each) for each in groupings(score, evidence.known, evidence.snrs_db)),
        f'<p class="note">{escape(METHOD)}</p>' if any(each is not None for each in evidence.snrs_db.values()) else "",
        _frequent(alignments),
        _calibration(score, alignments, evidence),
        _LIST,
        _data("utterances", [_row(*each, evidence, folder) for each in zip(score.utterances, alignments, strict=True)]),
        _data("pictures", _encoded(score, evidence.pictures)),
        _data("audio", _encoded(score, evidence.audio)),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width"><meta name="generator" content="asr">'
        f"<title>{_text(title)}</title>\n<style>{style}</style></head>\n<body>\n"
        + "\n".join(body)
        + f"\n<script>{script}</script></body></html>\n"
    )


_LIST = """<h2 id="list">Utterances</h2>
<noscript><p>The list needs JavaScript; wer.txt beside this page holds the same.</p></noscript>
<div class="controls"><input type="search" id="find" placeholder="id, words or flags" aria-label="find">
<label><input type="checkbox" id="errors"> with errors only</label>
<select id="sort" aria-label="order"><option value="errors">most errors first</option><option value="rate">highest rate
first</option><option value="id">by id</option><option value="longest">longest first</option><option
value="noisiest">noisiest first</option></select>
<select id="speaker" aria-label="speaker"><option value="">all speakers</option></select>
<button id="pair" hidden></button>
<span><button id="previous">‹</button> <span id="where"></span> <button id="next">›</button></span></div>
<p class="note">Reference above, hypothesis below where they differ: <span class="substitute">substitution</span>,
<span class="delete">deletion</span>, <span class="insert">insertion</span>.</p>
<div id="rows"></div>"""


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _text(value: object) -> str:
    return escape(printable(str(value)))


def _data(id: str, value: object) -> str:
    """JSON in a block that is no script; nothing in it can end the block or open a comment."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return f'<script type="application/json" id="{id}">{text}</script>'


def _encoded(score: CorpusScore, blobs: Mapping[str, bytes]) -> dict[int, str]:
    """Base64 by the utterance's place in the list: two ids may look the same."""
    ids = enumerate(each.id for each in score.utterances)
    return {place: base64.b64encode(blobs[id]).decode() for place, id in ids if id in blobs}


def _row(each: UtteranceScore, alignment: Sequence[AlignedPair], evidence: Evidence, folder: Path) -> dict[str, Any]:
    """An utterance for the script: runs of right words as a string, errors as [reference, hypothesis]."""
    parts: list[str | list[str | None]] = []
    for pair in alignment:
        words = [None if word is None else printable(word) for word in (pair.reference, pair.hypothesis)]
        if pair.operation != "equal":
            parts.append(words)
        elif parts and isinstance(parts[-1], str):
            parts[-1] += f" {words[0]}"
        else:
            parts.append(str(words[0]))
    counts = [each.words.substitutions, each.words.deletions, each.words.insertions, each.words.n_reference]
    row: dict[str, Any] = {"id": printable(each.id), "n": counts, "a": parts}
    known, ratio_db = evidence.known.get(each.id), evidence.snrs_db.get(each.id)
    more = {
        "who": None if each.speaker is None else printable(each.speaker),
        "from": known and known.corpus and printable(known.corpus),
        "s": known and known.duration_s and round(known.duration_s, 2),
        "snr": None if ratio_db is None else round(ratio_db, 1),
        "flags": (known and ", ".join(map(printable, known.flags))) or None,
        "url": None if each.id in evidence.audio else link(known.clip if known else None, folder),
    }
    return row | {key: value for key, value in more.items() if value is not None}


def _head(score: CorpusScore, title: str, about: Mapping[str, Any]) -> str:
    rows = []
    for name, counts, interval in (
        ("WER", score.words, score.wer_interval),
        ("CER", score.characters, score.cer_interval),
        ("WER by NIST sclite's alignment", score.by_sclite, None),
    ):
        cells = [counts.substitutions, counts.deletions, counts.insertions, counts.n_errors, counts.n_reference]
        rows.append([name, _rate(counts.rate), "" if interval is None else _span(interval), *map(str, cells)])
    sentences = ["", "", "", str(score.n_wrong), str(len(score.utterances))]
    rows.append(["SER: utterances with an error", _rate(score.ser), _span(score.ser_interval), *sentences])
    head = ["", "rate", "95 % interval", "substitutions", "deletions", "insertions", "errors", "of"]
    listed = "; ".join(
        f"{_text(key)}: {_text(value)}"
        for key, value in about.items()
        if isinstance(value, str | int | float) and value != ""
    )
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows)
    return (
        f'<h1>{_text(title)}</h1>\n<p class="about">{listed}</p>\n<table class="rates"><thead><tr>'
        f"{''.join(f'<th>{cell}</th>' for cell in head)}</tr></thead><tbody>{lines}</tbody></table>"
        '<p class="note">Errors over reference words of the whole set; intervals by bootstrap over utterances.</p>'
    )


def _grouping(grouping: Grouping) -> str:
    groups = grouping.groups
    note = ""
    if len(groups) > _N_GROUPS:
        note = f'<p class="note">The {_N_GROUPS} with most errors of {len(groups)}.</p>'
        groups = tuple(sorted(groups, key=lambda each: -each.words.n_errors)[:_N_GROUPS])
    finite = [end for each in groups for end in (each.words.rate, *each.interval) if math.isfinite(end)]
    full = min(max(finite, default=0.0), 1.0)
    rows = []
    for each in groups:
        cells = [
            (each.name, _text(each.name)),
            *((value, str(value)) for value in (each.n_utterances, each.words.n_reference)),
            (each.words.rate, _rate(each.words.rate)),
            (each.interval[1] - each.interval[0] if math.isfinite(each.interval[1]) else "", _span(each.interval)),
            (each.words.rate, bar(each.words.rate, each.interval, full)),
            (each.characters.rate, _rate(each.characters.rate)),
        ]
        rows.append("".join(f'<td data-value="{_text(value)}">{shown}</td>' for value, shown in cells))
    names = ["", "utterances", "words", "WER", "95 % interval", "", "CER"]
    head = "".join(f"<th data-sort>{name}</th>" for name in names)
    lines = "".join(f"<tr>{row}</tr>\n" for row in rows)
    return (
        f'<h2>{grouping.title}</h2>{note}<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _frequent(alignments: Sequence[Sequence[AlignedPair]]) -> str:
    """The commonest errors; a click on one shows its utterances."""
    found = frequent_errors(alignments, _N_FREQUENT)
    columns: list[tuple[str, list[tuple[str | None, str | None, int]]]] = [
        ("Confusions", [(*pair, n) for pair, n in found.substitutions]),
        ("Deletions", [(word, None, n) for word, n in found.deletions]),
        ("Insertions", [(None, word, n) for word, n in found.insertions]),
    ]
    tables = []
    for name, errors in columns:
        rows = []
        for reference, hypothesis, n in errors:
            pair = [None if word is None else printable(word) for word in (reference, hypothesis)]
            shown = " → ".join(f"<bdi>{escape(word)}</bdi>" for word in pair if word is not None)
            button = f'<button data-pair="{escape(json.dumps(pair, ensure_ascii=False))}">{shown}</button>'
            rows.append(f"<tr><td>{button}</td><td>{n}</td></tr>\n")
        if rows:
            head = f"<thead><tr><th>{name}</th><th>times</th></tr></thead>"
            tables.append(f'<div class="scroll"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>')
    if not tables:
        return ""
    note = f'<p class="note">The {_N_FREQUENT} commonest of each; a click shows their utterances.</p>'
    return f'<h2>Words</h2>{note}<div class="tables">{"".join(tables)}</div>'


def _calibration(score: CorpusScore, alignments: Sequence[Sequence[AlignedPair]], evidence: Evidence) -> str:
    """Confidences beside the share of words that are right, where hypotheses carry confidences."""
    confidences: list[float] = []
    right: list[bool] = []
    for each, alignment in zip(score.utterances, alignments, strict=True):
        given = evidence.known[each.id].confidences if each.id in evidence.known else None
        outcome = [pair.operation == "equal" for pair in alignment if pair.hypothesis is not None]
        if given is not None and len(given) == len(outcome):
            confidences += given
            right += outcome
    if not confidences:
        return ""
    found = reliability(confidences, right)
    return (
        f'<h2>Confidence</h2><p class="note">{len(confidences)} words with a confidence: expected calibration error '
        f"{_rate(found.ece)}; on the diagonal, words are right as often as they claim.</p>"
        f"{reliability_plot(found.bins)}"
    )


def _rate(rate: float) -> str:
    return f"{100 * rate:.2f} %" if math.isfinite(rate) else "∞"


def _span(interval: tuple[float, float]) -> str:
    return f"{_rate(interval[0])} – {_rate(interval[1])}"
