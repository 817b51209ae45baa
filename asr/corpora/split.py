"""Divide a corpus that has no splits of its own: by speaker, the same way today and when it has grown."""

import hashlib
from collections.abc import Callable

from asr.corpora.candidate import Candidate, CorpusError, Splits
from asr.text.normalize import normalize

HELD_OUT_SHARE = 0.05
"""Share of the speakers that goes to dev, and again to test."""

MIN_SPEAKERS = 20
"""With fewer, a split by speaker would be of one voice or of none: texts are divided then."""


def divide(candidates: list[Candidate]) -> tuple[Splits, str]:
    """Divide utterances into train, dev and test by a hash of the speaker's name.

    A hash decides for each speaker alone, so nobody changes splits when others join. Where there are fewer than
    `MIN_SPEAKERS`, the same is done with the texts: no sentence is in two splits then, but voices are. If chance leaves
    dev or test empty, it gets the speaker or text of the lowest hash.

    Args:
        candidates: all utterances; broken ones count as train.

    Returns:
        The splits, and a sentence that says how they were made.

    Raises:
        CorpusError: there are fewer than three speakers or texts to divide.
    """
    speakers = {candidate.speaker for candidate in candidates if candidate.speaker}
    by_speaker = len(speakers) >= MIN_SPEAKERS and all(c.speaker for c in candidates if c.fault is None)
    key: Callable[[Candidate], str] = _speaker if by_speaker else _text
    groups = sorted({key(candidate) for candidate in candidates if candidate.fault is None}, key=_share)
    if len(groups) < 3:
        raise CorpusError(
            f"{len(groups)} different texts are too few to be divided; give folders or files train, dev and test, or "
            "--split train"
        )
    of_group = {group: _split_at(_share(group)) for group in groups}
    for split in ("test", "dev"):
        if split not in of_group.values():
            of_group[next(group for group in groups if of_group[group] == "train")] = split
    if "train" not in of_group.values():
        of_group[groups[-1]] = "train"
    splits: Splits = {"train": [], "dev": [], "test": []}
    for candidate in candidates:
        splits["train" if candidate.fault is not None else of_group[key(candidate)]].append(candidate)
    what = f"speaker: {len(speakers)} speakers" if by_speaker else f"text: fewer than {MIN_SPEAKERS} known speakers"
    return splits, f"divided by a hash of the {what}, about {HELD_OUT_SHARE:.0%} to dev and to test"


def _speaker(candidate: Candidate) -> str:
    return candidate.speaker


def _text(candidate: Candidate) -> str:
    return normalize(candidate.text)


def _share(group: str) -> float:
    """Where a name falls between 0 and 1."""
    digest = hashlib.blake2b(group.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _split_at(share: float) -> str:
    return "test" if share < HELD_OUT_SHARE else "dev" if share < 2 * HELD_OUT_SHARE else "train"
