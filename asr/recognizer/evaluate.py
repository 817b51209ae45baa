"""How many words does a model get wrong on a test set?"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

from asr.corpora.manifest import Utterance, read_manifest
from asr.ranks.group import Ranks
from asr.recognizer.calibrate import recognized, words_right
from asr.recognizer.decode import decode
from asr.recognizer.pictures.worst import draw_worst
from asr.recognizer.recognizer import Recognizer
from asr.recognizer.transcript import Flag
from asr.scoring.calibration import Reliability, reliability
from asr.scoring.corpus import CorpusScore, score
from asr.scoring.evidence import Evidence, embedded, measured
from asr.scoring.report import check_folder, per_cent, score_lines, write_report
from asr.scoring.rows import Clip, Known
from asr.scoring.translation import TranslationScore, score_translations
from asr.text.normalize import normalize

N_RESAMPLES = 1000  # of the bootstrap


@dataclass(frozen=True)
class Showing:
    """What report.html shows beside texts.

    Attributes:
        n_pictures: Utterances with log-mel and attention, those with most errors.
        embed_mb: Megabytes of audio put into the page, those with most errors first; the rest is linked.
    """

    n_pictures: int = 10
    embed_mb: float = 0.0


@dataclass(frozen=True)
class Confidence:
    """How well the confidences of words tell which are right, and whether they were fitted to a development set."""

    calibrated: bool
    reliability: Reliability

    @property
    def line(self) -> str:
        """What to print."""
        fitted = "calibrated" if self.calibrated else "not calibrated, see `asr calibrate`"
        return f"confidence of words: expected calibration error {per_cent(self.reliability.ece)}, {fitted}"


@dataclass(frozen=True)
class Evaluation:
    """A scored test set.

    Attributes:
        score: The errors.
        audio_s: Seconds of audio decoded.
        wall_s: Seconds it took.
        flags: Transcripts that each flag would have readers distrust.
        confidence: How well confidences fit; None where there are none, or the task is to translate.
        translation: BLEU and chrF, where the task is to translate.
    """

    score: CorpusScore
    audio_s: float
    wall_s: float
    flags: dict[Flag, int]
    confidence: Confidence | None = None
    translation: TranslationScore | None = None

    @property
    def report(self) -> str:
        """The lines to print: BLEU of translations, those of the error rates, speed."""
        lines = [
            *(self.translation.lines if self.translation else ()),
            *score_lines(self.score),
            f"{self.audio_s:.0f} s of audio in {self.wall_s:.1f} s: {self.audio_s / self.wall_s:.1f} × real time",
        ]
        if self.confidence:
            lines.append(self.confidence.line)
        if any(self.flags.values()):
            counted = ", ".join(f"{flag} {n}" for flag, n in self.flags.items() if n)
            lines.append(f"transcripts to distrust: {counted}")
        return "\n".join(lines)


def evaluate(
    recognizer: Recognizer,
    manifest: Path,
    out: Path | None = None,
    *,
    batch_s: float | None = None,
    ranks: Ranks | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    showing: Showing | None = None,
) -> Evaluation:
    """Decodes a test set and scores it, normalised references against normalised hypotheses, joined by id.

    Args:
        recognizer: The model.
        manifest: The test set.
        out: Folder for what `write_report` writes; None writes nothing.
        batch_s: Padded seconds per batch; None takes the recipe's. Transcripts do not depend on it.
        ranks: The processes that share the work; the first writes, all get the result. None for this one alone.
        progress: Told (utterances done, all of this process's).
        showing: What the page in `out` shows; None takes the defaults.

    Raises:
        ManifestError, AudioError, ScoringError: See there.
    """
    ranks = ranks or Ranks()
    if out is not None:
        check_folder(out)  # before the work, not after
    utterances = read_manifest(manifest, recognizer.recipe.task.target)
    start = time.perf_counter()
    seconds = batch_s or recognizer.recipe.search.batch_s
    rows = decode(recognizer.model, utterances, partial(recognized, recognizer), seconds, ranks, progress)
    wall_s = time.perf_counter() - start
    texts = [normalize(row["text"]) for row in rows]
    scored = score(
        {u.id: normalize(u.text) for u in utterances},
        {u.id: text for u, text in zip(utterances, texts, strict=True)},
        {u.id: u.speaker for u in utterances},
    )
    found = Evaluation(
        scored,
        sum(u.duration_s for u in utterances),
        wall_s,
        {flag: sum(flag in row["flags"] for row in rows) for flag in get_args(Flag)},
        _confidence(utterances, rows) if recognizer.recipe.task.kind == "transcribe" else None,
        score_translations([u.text for u in utterances], texts, n_resamples=N_RESAMPLES)
        if recognizer.recipe.task.kind == "translate"
        else None,
    )
    known = {utterance.id: _known(utterance, row) for utterance, row in zip(utterances, rows, strict=True)}
    snrs_db = _measure(known, ranks) if out is not None else {}
    if out is not None and ranks.is_first:
        about = {
            "manifest": str(manifest),
            "search": recognizer.recipe.search.model_dump(mode="json"),
            "wall_s": wall_s,
        }
        about |= {"audio_s": found.audio_s, "flags": found.flags}
        if found.confidence:
            about["confidence"] = asdict(found.confidence)
        if found.translation:
            about["translation"] = asdict(found.translation)
            about |= {"BLEU": round(found.translation.bleu, 2), "chrF2": round(found.translation.chrf, 2)}
        about["normalisation"] = "case folded"
        shown = showing or Showing()

        def evidence() -> Evidence:
            pictures = draw_worst(recognizer, utterances, scored, shown.n_pictures)
            return Evidence(known, snrs_db, pictures, embedded(scored, known, round(1e6 * shown.embed_mb)))

        write_report(out, scored, about, name=manifest.stem, evidence=evidence)
    return found


def _known(utterance: Utterance, row: Mapping[str, Any]) -> Known:
    """What a page shows of an utterance beside its texts."""
    confidences = tuple(word["confidence"] for word in row["words"])
    return Known(
        utterance.speaker,
        None,
        utterance.duration_s,
        Clip(utterance.audio, utterance.start_s, utterance.duration_s, utterance.part),
        None if None in confidences else confidences,
        tuple(row["flags"]),
    )


def _measure(known: Mapping[str, Known], ranks: Ranks) -> dict[str, float | None]:
    """Signal-to-noise ratios; every rank listens to its share."""
    found: list[float | None] = []
    for id in ranks.share(list(known)):
        ranks.at(len(found), "validating", [id])
        found.append(measured(known[id].clip))
    return dict(zip(known, ranks.in_order(found), strict=True))


def _confidence(utterances: Sequence[Utterance], rows: Sequence[dict[str, Any]]) -> Confidence | None:
    words = [word for row in rows for word in row["words"]]
    if not words or any(word["confidence"] is None for word in words):
        return None
    found = reliability([word["confidence"] for word in words], words_right(utterances, rows))
    return Confidence(all(row["calibrated"] for row in rows), found)
