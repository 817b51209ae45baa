"""Free Spoken Digit Dataset (Jackson et al., DOI 10.5281/zenodo.1342401), one digit per utterance: to be classified.

SOURCE is the GitHub tree: `recordings/{digit}_{speaker}_{index}.wav`, used in place. Splits are by index of the
recording, as for the strings of `asr.corpora.fsdd`: test from 0–4, the corpus's own test recordings, dev from 5–9,
train from 10–49. Every speaker is in all three, no recording in two.
"""

from pathlib import Path

from asr.corpora.candidate import Candidate, CorpusError, Progress, Splits
from asr.corpora.fsdd import DIGITS, HINT, NAME, PARTS
from asr.corpora.layout import require_folder


def load_fsdd_digits(source: Path | None, out: Path, progress: Progress) -> Splits:
    """List FSDD's recordings, the digit's word as their text.

    Args:
        source: the GitHub tree.
        out: not written to.
        progress: not called: there is nothing to write.

    Returns:
        Splits train, dev, test.

    Raises:
        CorpusError: the tree is not FSDD's, or a split has no recording.
    """
    source = require_folder(source, "fsdd_digits", ["recordings"], HINT)
    indices_of = {split: indices for split, (indices, _) in PARTS.items()}
    splits: Splits = {"train": [], "dev": [], "test": []}
    for path in sorted((source / "recordings").iterdir()):
        match = NAME.fullmatch(path.name)
        for split, indices in indices_of.items():
            if match is not None and int(match["index"]) in indices:
                digit = DIGITS[int(match["digit"])]
                splits[split].append(Candidate(path.stem, path, digit, match["speaker"]))
    for split, rows in splits.items():
        if not rows:
            wanted = f"{{digit}}_{{speaker}}_{{{indices_of[split][0]}..{indices_of[split][-1]}}}.wav"
            raise CorpusError(f"fsdd_digits: looked for {wanted} in {source / 'recordings'} and found none; {HINT}")
    return splits
