"""Where a corpus's errors are: among which utterances, and which words."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from asr.scoring.corpus import CorpusScore, UtteranceScore, bootstrap_interval
from asr.scoring.errors import AlignedPair, ErrorCounts
from asr.scoring.rows import Known

_LENGTHS_S = (2, 5, 10, 15, 20, 30)
_LENGTHS_WORDS = (1, 6, 11, 16, 21, 31, 51)
_SNRS_DB = (0, 10, 20, 30, 40)
_N_RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class Group:
    """Utterances that have something in common.

    Attributes:
        name: What it is.
        n_utterances: How many they are.
        words: Their word errors.
        characters: Their character errors.
        interval: 95 % bootstrap interval of their word error rate.
    """

    name: str
    n_utterances: int
    words: ErrorCounts
    characters: ErrorCounts
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Grouping:
    """All utterances, sorted by one thing; those of which it is not known are left out."""

    title: str
    groups: tuple[Group, ...]


def groupings(score: CorpusScore, known: Mapping[str, Known], snrs_db: Mapping[str, float | None]) -> list[Grouping]:
    """By corpus, speaker, length in words and in seconds, signal-to-noise ratio: what is known, and tells any apart."""

    def speaker(each: UtteranceScore) -> str | None:
        return each.speaker

    def corpus(each: UtteranceScore) -> str | None:
        return known[each.id].corpus if each.id in known else None

    def n_words(each: UtteranceScore) -> str | None:
        return _range(len(each.reference.split()), _LENGTHS_WORDS, "words", whole=True)

    def seconds(each: UtteranceScore) -> str | None:
        duration_s = known[each.id].duration_s if each.id in known else None
        return None if duration_s is None else _range(duration_s, _LENGTHS_S, "s")

    def snr(each: UtteranceScore) -> str | None:
        ratio_db = snrs_db.get(each.id)
        return None if ratio_db is None else _range(ratio_db, _SNRS_DB, "dB")

    kinds: list[tuple[str, Callable[[UtteranceScore], str | None], Callable[[str], object]]] = [
        ("By corpus", corpus, str),
        ("By speaker", speaker, str),
        ("By length in words", n_words, _places(_LENGTHS_WORDS, "words", whole=True).index),
        ("By length in seconds", seconds, _places(_LENGTHS_S, "s").index),
        ("By signal-to-noise ratio", snr, _places(_SNRS_DB, "dB").index),
    ]
    found = [Grouping(title, _groups(score.utterances, of, order)) for title, of, order in kinds]
    return [each for each in found if len(each.groups) > 1]


def _groups(
    utterances: Iterable[UtteranceScore], of: Callable[[UtteranceScore], str | None], order: Callable[[str], object]
) -> tuple[Group, ...]:
    members: dict[str, list[UtteranceScore]] = {}
    for each in utterances:
        name = of(each)
        if name is not None:
            members.setdefault(name, []).append(each)
    return tuple(
        Group(
            name,
            len(members[name]),
            reduce(add, (each.words for each in members[name])),
            reduce(add, (each.characters for each in members[name])),
            bootstrap_interval([each.words for each in members[name]], n_resamples=_N_RESAMPLES),
        )
        for name in sorted(members, key=order)  # type: ignore[arg-type]
    )


def _range(value: float, bounds: Sequence[int], unit: str, whole: bool = False) -> str:
    return _places(bounds, unit, whole)[sum(value >= bound for bound in bounds)]


def _places(bounds: Sequence[int], unit: str, whole: bool = False) -> list[str]:
    """Names of the ranges that bounds cut: a range holds its lower bound, not its upper."""
    inner = [
        f"{low}–{high - 1} {unit}" if whole else f"{low} to {high} {unit}"
        for low, high in zip(bounds, bounds[1:], strict=False)
    ]
    return [f"below {bounds[0]} {unit}", *inner, f"{bounds[-1]} {unit} and more"]


@dataclass(frozen=True, slots=True)
class Frequent:
    """The commonest errors: (what, how often), the commonest first.

    Attributes:
        substitutions: Pairs of a reference word and what was written for it.
        deletions: Reference words.
        insertions: Hypothesis words.
    """

    substitutions: list[tuple[tuple[str, str], int]]
    deletions: list[tuple[str, int]]
    insertions: list[tuple[str, int]]


def frequent_errors(alignments: Iterable[Sequence[AlignedPair]], n_listed: int) -> Frequent:
    """Counts errors over all alignments; of equally common ones, those that come first in the alphabet go first."""
    substitutions: Counter[tuple[str, str]] = Counter()
    deletions: Counter[str] = Counter()
    insertions: Counter[str] = Counter()
    for alignment in alignments:
        for pair in alignment:
            if pair.operation == "substitute":
                substitutions[pair.reference or "", pair.hypothesis or ""] += 1
            elif pair.operation == "delete":
                deletions[pair.reference or ""] += 1
            elif pair.operation == "insert":
                insertions[pair.hypothesis or ""] += 1
    return Frequent(
        sorted(substitutions.items(), key=lambda each: (-each[1], each[0]))[:n_listed],
        sorted(deletions.items(), key=lambda each: (-each[1], each[0]))[:n_listed],
        sorted(insertions.items(), key=lambda each: (-each[1], each[0]))[:n_listed],
    )
