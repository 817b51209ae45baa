"""How often does a model tell the right label?"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from asr.corpora.manifest import read_manifest
from asr.ranks.group import Ranks
from asr.recognizer.classifier import Classifier
from asr.recognizer.decode import Stretch, decode
from asr.scoring.labels import Judged, LabelScore, score_labels, write_label_report


@dataclass(frozen=True)
class LabelEvaluation:
    """A scored test set.

    Attributes:
        score: What was right.
        audio_s: Seconds of audio listened to.
        wall_s: Seconds it took.
    """

    score: LabelScore
    audio_s: float
    wall_s: float

    @property
    def report(self) -> str:
        """The lines to print."""
        speed = f"{self.audio_s:.0f} s of audio in {self.wall_s:.1f} s: {self.audio_s / self.wall_s:.1f} × real time"
        return "\n".join([*self.score.lines, speed])


def evaluate_labels(
    classifier: Classifier,
    manifest: Path,
    out: Path | None = None,
    *,
    batch_s: float | None = None,
    ranks: Ranks | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> LabelEvaluation:
    """Names the utterances of a test set and scores what was told.

    Args:
        classifier: The model.
        manifest: The test set, with the key that the model was trained on.
        out: Folder for results.json and labels.tsv; None writes nothing.
        batch_s: Padded seconds per batch; None takes the recipe's. What is told does not depend on it.
        ranks: The processes that share the work; the first writes, all get the result. None for this one alone.
        progress: Told (utterances done, all of this process's).

    Raises:
        ManifestError, AudioError, ScoringError: See there.
    """
    ranks = ranks or Ranks()
    utterances = read_manifest(manifest, classifier.recipe.task.target)

    def answer(_: list[Stretch], states: Tensor, state_lens: Tensor) -> list[dict[str, Any]]:
        found = classifier.judge(states, state_lens)
        return [{"label": each.label, "probability": each.probability} for each in found]

    start = time.perf_counter()
    rows = decode(classifier.model, utterances, answer, batch_s or classifier.recipe.search.batch_s, ranks, progress)
    wall_s = time.perf_counter() - start
    judged = [Judged(u.id, u.text, **row) for u, row in zip(utterances, rows, strict=True)]
    found = LabelEvaluation(
        score_labels(judged, classifier.labels.names), sum(u.duration_s for u in utterances), wall_s
    )
    if out is not None and ranks.is_first:
        about = {"manifest": str(manifest), "label": classifier.recipe.task.target}
        write_label_report(out, found.score, about | {"wall_s": wall_s, "audio_s": found.audio_s})
    return found
