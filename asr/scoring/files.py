"""Scores of anyone's files: utterances joined by id where files have ids, by line where neither has any."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from asr.audio.suffixes import AUDIO_SUFFIXES
from asr.scoring.corpus import CorpusScore, by_id, score
from asr.scoring.errors import ScoringError, align_words
from asr.scoring.json_texts import holds_both
from asr.scoring.normalizers import RAW, Normalizer, basic
from asr.scoring.rows import Known
from asr.scoring.texts import Format, Texts, read_texts
from asr.scoring.trn import trn_id

_N_ALIKE = 10
_MUCH = 0.05


@dataclass(frozen=True)
class Pairs:
    """References and hypotheses of the same ids, and what is known of them.

    Attributes:
        references: Id to text, as the file has it.
        hypotheses: The same ids.
        known: Of each utterance.
        notes: How they were read and joined, for whoever reads the score.
    """

    references: dict[str, str]
    hypotheses: dict[str, str]
    known: dict[str, Known]
    notes: tuple[str, ...]


def read_pairs(
    reference: Path, hypothesis: Path, reference_format: Format | None = None, hypothesis_format: Format | None = None
) -> Pairs:
    """Reads two files and joins their utterances; the order of lines means nothing where there are ids.

    Files without ids must have as many lines as each other, blank ones included. Ids that differ are tried once more
    without folders and the suffixes of audio files, and joined so where that pairs all of them one to one.

    Args:
        reference: True texts, in any form that `read_texts` takes.
        hypothesis: Recognised texts; the same file where it holds both, as NeMo's and ours do.
        reference_format: None tells it by the content.
        hypothesis_format: The same.

    Raises:
        ScoringError: Missing, extra or repeated ids; ids in one file alone; another number of lines.
        OSError: A file cannot be read.
    """
    ref = read_texts(reference, "reference", reference_format)
    hyp = read_texts(hypothesis, "hypothesis", hypothesis_format)
    if reference.resolve() == hypothesis.resolve() and not _holds_both(ref):
        raise ScoringError(
            f"{reference}: given for both sides, but it holds no predictions (pred_text, hypothesis); "
            "give the true texts, too"
        )
    notes = [*ref.notes, *hyp.notes]
    if ref.has_ids != hyp.has_ids:
        one, other = (ref, hyp) if ref.has_ids else (hyp, ref)
        raise ScoringError(
            f"{one.path} has ids (read as {one.format}), {other.path} has none (read as {other.format}): cannot be "
            "joined; if one was misread, say how with --ref-format and --hyp-format"
        )
    if not ref.has_ids:
        _check_lines(ref, hyp, told=bool(reference_format or hypothesis_format))
        notes.append("joined line by line: neither file has ids")
    references, hypotheses = _by_id(ref), _by_id(hyp)
    if "trn" in (ref.format, hyp.format):  # whose ids hold no blanks nor parentheses
        references, hypotheses = ({trn_id(id): row for id, row in each.items()} for each in (references, hypotheses))
    if references.keys() != hypotheses.keys():
        ref_stems, hyp_stems = _by_stem(references), _by_stem(hypotheses)
        if ref_stems and hyp_stems and ref_stems.keys() == hyp_stems.keys():
            references, hypotheses = ref_stems, hyp_stems
            notes.append("joined by ids without folders and audio suffixes: as they stand, the ids differ")
    return Pairs(
        {id: text for id, (text, _) in references.items()},
        {id: text for id, (text, _) in hypotheses.items()},
        {id: _merged(known, hypotheses.get(id, ("", Known()))[1]) for id, (_, known) in references.items()},
        tuple(notes),
    )


def score_pairs(pairs: Pairs, normalizer: Normalizer = RAW, *, n_resamples: int = 1000) -> CorpusScore:
    """Scores pairs after the same normalisation of both sides; errors as of `score`."""
    return score(
        _apply(normalizer.apply, pairs.references),
        _apply(normalizer.apply, pairs.hypotheses),
        {id: known.speaker for id, known in pairs.known.items() if known.speaker is not None},
        n_resamples=n_resamples,
    )


def advice(score: CorpusScore, normalizer: Normalizer) -> list[str]:
    """A line where texts were compared raw and much of the error is no word's but its spelling's."""
    if normalizer is not RAW or not score.words.n_errors:
        return []
    alike = sum(
        pair.operation == "substitute" and basic(pair.reference or "") == basic(pair.hypothesis or "")
        for each in score.utterances
        for pair in align_words(each.reference, each.hypothesis)
    )
    if alike < _MUCH * score.words.n_errors:
        return []
    return [
        f"{alike} of {score.words.n_errors} errors are words that differ in nothing but case, punctuation or Unicode "
        "form: --normalize basic folds these"
    ]


def _apply(normalize: Callable[[str], str], texts: Mapping[str, str]) -> dict[str, str]:
    return {id: normalize(text) for id, text in texts.items()}


def _holds_both(texts: Texts) -> bool:
    if texts.format != "json":
        return False
    return holds_both(texts.path, texts.path.read_text(encoding="utf-8-sig").split("\n"))


def _by_id(texts: Texts) -> dict[str, tuple[str, Known]]:
    try:
        by_id(((row.id, row.text) for row in texts.rows), str(texts.path))
    except ScoringError as error:
        advice = "\nif the first word of a line is no id, say so with --ref-format lines and --hyp-format lines"
        raise ScoringError(f"{error}{advice if texts.format == 'kaldi' else ''}") from None
    return {row.id: (row.text, row.known) for row in texts.rows}


def _by_stem(rows: Mapping[str, tuple[str, Known]]) -> dict[str, tuple[str, Known]] | None:
    """The same rows under shorter ids; None where two would share one."""
    found = {}
    for id, row in rows.items():
        path = PurePosixPath(id.replace("\\", "/"))
        found[path.stem if path.suffix.lower() in AUDIO_SUFFIXES else path.name] = row
    return found if len(found) == len(rows) else None


def _check_lines(ref: Texts, hyp: Texts, told: bool) -> None:
    if len(ref.rows) != len(hyp.rows):
        raise ScoringError(
            f"{ref.path} has {len(ref.rows)} lines, {hyp.path} has {len(hyp.rows)}: files without ids are joined line "
            "by line and need the same number; give them ids, as in 'id words' or 'words (id)'"
        )
    first = [[row.text.split()[0] if row.text else "" for row in each.rows] for each in (ref, hyp)]
    alike = len(set(first[0])) == len(first[0]) >= _N_ALIKE and sorted(first[0]) == sorted(first[1])
    if alike and not told:
        raise ScoringError(
            f"{ref.path} and {hyp.path}: no two lines begin with the same word, and both files have the same first "
            f"words, such as {first[0][0]!r}: are they ids? Say --ref-format and --hyp-format kaldi if so, lines if not"
        )


def _merged(known: Known, other: Known) -> Known:
    """What the reference's file tells goes first; confidences are the hypothesis's."""
    return Known(
        known.speaker if known.speaker is not None else other.speaker,
        known.corpus if known.corpus is not None else other.corpus,
        known.duration_s if known.duration_s is not None else other.duration_s,
        known.clip or other.clip,
        other.confidences,
        other.flags,
    )
