"""yesno (OpenSLR 1): one speaker of Hebrew says eight times yes or no; sixty files to try things on.

SOURCE is `waves_yesno`: `0_1_0_0_1_1_1_0.wav`, where 1 is yes and 0 is no. In the order of the names, the last 30 are
test and the 5 before them dev: no order of words is in two splits.
"""

import re
from pathlib import Path

from asr.corpora.candidate import Candidate, CorpusError, Progress, Splits
from asr.corpora.layout import index_audio, require_folder

N_TEST, N_DEV = 30, 5

_HINT = "give the folder waves_yesno"


def load_yesno(source: Path | None, out: Path, progress: Progress) -> Splits:
    """List the recordings of yesno.

    Args:
        source: the folder with the files.
        out: unused, nothing is written.
        progress: unused.

    Returns:
        Splits train, dev, test.

    Raises:
        CorpusError: there are too few such files.
    """
    source = require_folder(source, "yesno", [], _HINT)
    files = {stem: path for stem, path in index_audio(source).items() if re.fullmatch(r"[01](_[01])*", stem)}
    if len(files) <= N_TEST + N_DEV:
        raise CorpusError(f"yesno: looked for 60 files such as 0_1_0_0.wav in {source}, found {len(files)}; {_HINT}")
    rows = [
        Candidate(stem, path, " ".join("yes" if digit == "1" else "no" for digit in stem.split("_")), "1")
        for stem, path in sorted(files.items())
    ]
    return {"train": rows[: -N_TEST - N_DEV], "dev": rows[-N_TEST - N_DEV : -N_TEST], "test": rows[-N_TEST:]}
