"""What makes a transcript suspect, from what search and CTC returned."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asr.recognizer.transcript import Flag
from asr.scoring.alignment import find_loop
from asr.search.ctc_align import Alignment, BestPath
from asr.search.hypothesis import Hypothesis
from asr.text.tokenizer import Tokenizer

# Between what was measured on strings of digits: loops of spellers that had run away cost 5 to 30 nats per token,
# digits that were truly said four times up to 0.5.
LOOP_DOUBT = 2.0
# Where a right text had no token, CTC wanted one by at most 8 nats, also in noise; a lost word mostly took 10 to 40.
MISSING_DOUBT = 10.0
MIN_INVENTED = 3  # tokens: a short word of characters; in noise CTC misses one or two of what is truly there
STEADY_DB = 8.0  # digital silence, tones and white noise have 0 to 1, pink noise 6, speech in noise half as loud 12


def flags_of(
    hypothesis: Hypothesis, alignment: Alignment | None, heard: BestPath | None, level_range_db: float
) -> tuple[Flag, ...]:
    """Looks for faults in one utterance's transcript.

    CTC cannot run away, since it judges every state by itself, and so is the witness. Its doubt in a stretch is by how
    many nats its best path there is likelier than the best path that spells the text (`ctc_align`).

    - `max_length`: the text ran into its bound on tokens; the speller saw no end.
    - `loop`: the same 1 to 16 tokens stand four times in a row, and CTC's doubt in them is more than `LOOP_DOUBT` nats
      per token. Without CTC the repetition suffices.
    - `no_speech`: there seems to be none. CTC's best path is blank throughout, or the level hardly moves (less than
      `STEADY_DB`), as in silence, steady noise and tones. Any text is then made up.
    - `missing_text`: between two tokens of the text, before the first or behind the last, CTC's doubt is more than
      `MISSING_DOUBT` nats: the speller ended early, or left something out.
    - `invented_text`: `MIN_INVENTED` or more tokens in a row stand where CTC's best path is blank throughout, or there
      are more of them than states.

    Args:
        hypothesis: What was written.
        alignment: Where CTC would have it; None where there is no CTC, or not room enough for so many tokens.
        heard: What CTC hears; None without CTC.
        level_range_db: See `asr.audio.level`.

    Returns:
        The flags that apply, in the order above.
    """
    missing, invented = _differences(alignment, heard) if alignment and heard else (0.0, 0)
    found: dict[Flag, bool] = {
        "max_length": hypothesis.finish == "max_length",
        "loop": _loops(hypothesis.tokens, alignment, heard),
        "no_speech": level_range_db < STEADY_DB or (heard is not None and not heard.labels.any()),
        "missing_text": missing > MISSING_DOUBT,
        "invented_text": invented >= MIN_INVENTED or (heard is not None and alignment is None),
    }
    return tuple(flag for flag, applies in found.items() if applies)


def _loops(tokens: Sequence[int], alignment: Alignment | None, heard: BestPath | None) -> bool:
    loop = find_loop(tokens)
    if loop is None or alignment is None or heard is None:
        return loop is not None
    first, end = loop
    states = slice(alignment.starts[first], alignment.ends[end - 1])
    doubt = heard.log_probs[states].sum() - alignment.log_probs[states].sum()
    return bool(doubt > LOOP_DOUBT * (end - first))


def _differences(alignment: Alignment, heard: BestPath) -> tuple[float, int]:
    """CTC's doubt in the worst stretch without text, and the most tokens in a row that stand where it hears none."""
    written = np.zeros(len(heard.labels), bool)
    for start, end in zip(alignment.starts, alignment.ends, strict=True):
        written[start:end] = True
    spoken = heard.labels != Tokenizer.blank
    begins = np.zeros(len(spoken), bool)
    begins[alignment.starts] = True
    missing = _largest_sum((heard.log_probs - alignment.log_probs) * ~written, broken_by=written)
    return missing, int(_largest_sum(begins & ~spoken, broken_by=spoken))


def _largest_sum(values: NDArray[np.floating] | NDArray[np.bool_], broken_by: NDArray[np.bool_]) -> float:
    """The largest sum of values between two breaks."""
    return float(np.bincount(np.cumsum(broken_by), weights=values).max())
