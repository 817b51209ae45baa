"""Teaches a model's confidences what they are worth, on utterances it was not trained on."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from asr.corpora.manifest import Utterance, read_manifest
from asr.ranks.group import Ranks
from asr.recognizer.confidence import CALIBRATION_FILE, Calibration, raw_confidence
from asr.recognizer.decode import Stretch, decode
from asr.recognizer.recognizer import Recognizer
from asr.recognizer.task_error import TaskError
from asr.scoring.calibration import reliability
from asr.scoring.errors import align_words
from asr.text.normalize import normalize
from asr.training.checkpoint import MANIFEST_NAME, write_directory, writer


class CalibrationError(ValueError):
    """Utterances that teach nothing."""


@dataclass(frozen=True)
class Calibrated:
    """What was fitted, and the expected calibration error on the same words before and after."""

    calibration: Calibration
    ece_before: float
    ece_after: float

    @property
    def report(self) -> str:
        """A line to print."""
        fitted = self.calibration
        return (
            f"{fitted.n_words} words, {fitted.n_wrong} of them wrong: expected calibration error "
            f"{100 * self.ece_before:.2f} % before, {100 * self.ece_after:.2f} % after, on these words"
        )


def calibrate(
    recognizer: Recognizer,
    folder: Path,
    manifest: Path,
    ranks: Ranks | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Calibrated:
    """Fits the confidences of a model to a development set, and keeps the fit in the model's folder.

    Args:
        recognizer: The model, with the search that it will be used with.
        folder: It was loaded from; rewritten whole, with its manifest.
        manifest: Utterances that the model was not trained on.
        ranks: The processes that share the work; the first writes. None for this one alone.
        progress: Told (utterances done, all of this process's).

    Raises:
        ManifestError, AudioError, CheckpointError: See there.
        TaskError: The model translates: there is no telling which of its words is right.
        CalibrationError: No word was recognised.
    """
    ranks = ranks or Ranks()
    if recognizer.recipe.task.kind != "transcribe":
        raise TaskError(f"{folder}: this model translates; confidences are calibrated for transcripts alone")
    utterances = read_manifest(manifest, recognizer.recipe.task.target)
    batch_s = recognizer.recipe.search.batch_s
    rows = decode(recognizer.model, utterances, partial(recognized, recognizer), batch_s, ranks, progress)
    words = [word for row in rows for word in row["words"]]
    if not words:
        raise CalibrationError(f"{manifest}: the model recognised no word in it; give another set, or train on")
    right = words_right(utterances, rows)
    evidence = [word["evidence"] for word in words]
    calibration = Calibration.fit(evidence, right)
    before, after = (
        reliability([of(each) or 0.0 for each in evidence], right).ece
        for of in (raw_confidence, calibration.confidence)
    )
    if ranks.is_first:
        kept = [path for path in folder.iterdir() if path.name not in (MANIFEST_NAME, CALIBRATION_FILE)]
        files = {path.name: partial(shutil.copyfile, path) for path in kept}
        write_directory(folder, {**files, CALIBRATION_FILE: writer(calibration.to_json())})
    return Calibrated(calibration, before, after)


def recognized(
    recognizer: Recognizer, stretches: list[Stretch], states: Tensor, state_lens: Tensor
) -> list[dict[str, Any]]:
    """What `decode` wants: the fields of each utterance's segment."""
    return [asdict(segment) for segment in recognizer.recognize(stretches, states, state_lens)]


def words_right(utterances: Sequence[Utterance], rows: Sequence[dict[str, Any]]) -> list[bool]:
    """Whether each recognised word of a set stands in the reference where it should, utterance by utterance."""
    return [
        pair.operation == "equal"
        for utterance, row in zip(utterances, rows, strict=True)
        for pair in align_words(normalize(utterance.text), normalize(" ".join(word["text"] for word in row["words"])))
        if pair.hypothesis is not None
    ]
