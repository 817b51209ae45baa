"""How often is the right label told? Accuracy with an interval, and which labels are taken for which."""

import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.scoring.errors import ScoringError

_Z = 1.959964  # of the normal distribution, 95 % of it within
_N_CONFUSIONS = 5  # printed


@dataclass(frozen=True, slots=True)
class Judged:
    """One utterance with its true label and the one that was told.

    Attributes:
        id: Of the utterance.
        reference: The true label.
        label: The one told.
        probability: Of the label told, as the model sees it.
    """

    id: str
    reference: str
    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class LabelScore:
    """The score of a set of utterances.

    Attributes:
        judged: Every utterance, in the manifest's order.
        labels: What the model can tell.
    """

    judged: tuple[Judged, ...]
    labels: tuple[str, ...]

    @property
    def n_correct(self) -> int:
        """Utterances whose true label was told."""
        return sum(each.reference == each.label for each in self.judged)

    @property
    def accuracy(self) -> float:
        """Their share."""
        return self.n_correct / len(self.judged)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy (Wilson 1927), which holds near 1, too."""
        return wilson_interval(self.n_correct, len(self.judged))

    @property
    def confusion(self) -> dict[str, dict[str, int]]:
        """True label to told label to number of utterances, sorted, zeros left out."""
        counts = Counter((each.reference, each.label) for each in self.judged)
        table: dict[str, dict[str, int]] = {}
        for (reference, label), count in sorted(counts.items()):
            table.setdefault(reference, {})[label] = count
        return table

    @property
    def unknown(self) -> dict[str, int]:
        """True labels that the model cannot tell, and how many utterances have them."""
        return dict(sorted(Counter(u.reference for u in self.judged if u.reference not in self.labels).items()))

    @property
    def lines(self) -> list[str]:
        """The score, to be printed."""
        low, high = self.interval
        lines = [
            f"accuracy {100 * self.accuracy:.2f} % [ {self.n_correct} / {len(self.judged)} ], "
            f"95 % interval {100 * low:.2f} %–{100 * high:.2f} %"
        ]
        wrong = Counter((each.reference, each.label) for each in self.judged if each.reference != each.label)
        if wrong:
            worst = sorted(wrong.items(), key=lambda pair: (-pair[1], pair[0]))[:_N_CONFUSIONS]
            told = ", ".join(f"{reference!r} for {label!r} ({count})" for (reference, label), count in worst)
            lines.append(f"most often taken for another: {told}")
        if self.unknown:
            told = ", ".join(f"{label!r} ({count})" for label, count in self.unknown.items())
            lines.append(f"{sum(self.unknown.values())} utterances have labels that the model cannot tell: {told}")
        return lines


def score_labels(judged: Sequence[Judged], labels: Sequence[str]) -> LabelScore:
    """Scores a set of utterances.

    Args:
        judged: Every utterance.
        labels: What the model can tell.

    Raises:
        ScoringError: There are none.
    """
    if not judged:
        raise ScoringError("nothing to score: there are no utterances")
    return LabelScore(tuple(judged), tuple(labels))


def wilson_interval(n_correct: int, n: int) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927, "Probable inference, the law of succession, and …"), 95 %."""
    share, z2 = n_correct / n, _Z**2 / n
    middle = (share + z2 / 2) / (1 + z2)
    half = _Z / (1 + z2) * math.sqrt(share * (1 - share) / n + z2 / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def write_label_report(out: Path, score: LabelScore, about: Mapping[str, Any] | None = None) -> None:
    """Writes results.json and labels.tsv (id, reference, label, probability), each replaced whole.

    Args:
        out: Folder for both, created when missing.
        score: To be told.
        about: What produced it, put into results.json as it is.

    Raises:
        OSError: A file cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    results = {
        "accuracy": round(100 * score.accuracy, 4),
        "accuracy_interval_95": [round(100 * end, 4) for end in score.interval],
        "n_utterances": len(score.judged),
        "n_correct": score.n_correct,
        "labels": list(score.labels),
        "unknown_labels": score.unknown,
        "confusion": score.confusion,
        "about": dict(about or {}),
    }
    rows = [("id", "reference", "label", "probability")]
    rows += [(u.id, u.reference, u.label, f"{u.probability:.6f}") for u in score.judged]
    contents = {
        "labels.tsv": "".join("\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in rows),
        "results.json": json.dumps(results, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
    }
    for name, text in contents.items():
        tmp = out / f".{name}.tmp"
        tmp.write_text(text, encoding="utf-8", newline="\n")
        os.replace(tmp, out / name)  # noqa: PTH105 (atomic, also where the target exists)
