"""What makes a transcript suspect, from what search and CTC returned."""

from collections.abc import Sequence

import numpy as np

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
# In three tokens of a right text CTC's doubt was at most 16 nats, also in noise; in invented words it was 23 to 51.
INVENTED_DOUBT, INVENTED_TOKENS = 18.0, 3


def flags_of(
    hypothesis: Hypothesis, alignment: Alignment | None, heard: BestPath | None, may_be_speech: bool
) -> tuple[Flag, ...]:
    """Looks for faults in one utterance's transcript.

    CTC cannot run away, since it judges every state by itself, and so is the witness. Its doubt in a stretch is by how
    many nats its best path there is likelier than the best path that spells the text (`ctc_align`).

    - `max_length`: the text ran into its bound on tokens; the speller saw no end.
    - `loop`: the same 1 to 16 tokens stand four times in a row, and CTC's doubt in them is more than `LOOP_DOUBT` nats
      per token. Without CTC the repetition suffices.
    - `no_speech`: there seems to be none. CTC's best path is blank throughout, or nothing sounds like speech, as in
      silence, noise, tones and clicks. Any text is then made up.
    - `missing_text`: between two tokens of the text, before the first or behind the last, CTC's doubt is more than
      `MISSING_DOUBT` nats: the speller ended early, or left something out.
    - `invented_text`: `INVENTED_TOKENS` of its tokens in a row stand where CTC's best path is blank throughout, or
      CTC's doubt in them is more than `INVENTED_DOUBT` nats, or it has more tokens than there are states.

    Args:
        hypothesis: What was written.
        alignment: Where CTC would have it; None where there is no CTC, or not room enough for so many tokens.
        heard: What CTC hears; None without CTC.
        may_be_speech: See `asr.audio.speech`.

    Returns:
        The flags that apply, in the order above.
    """
    missing, invented = _doubts(alignment, heard) if alignment and heard else (0.0, False)
    found: dict[Flag, bool] = {
        "max_length": hypothesis.finish == "max_length",
        "loop": _loops(hypothesis.tokens, alignment, heard),
        "no_speech": not may_be_speech or (heard is not None and not heard.labels.any()),
        "missing_text": missing > MISSING_DOUBT,
        "invented_text": invented or (heard is not None and alignment is None),
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


def _doubts(alignment: Alignment, heard: BestPath) -> tuple[float, bool]:
    """CTC's doubt in the worst stretch without text, and whether some tokens in a row are invented."""
    doubt = heard.log_probs - alignment.log_probs
    written = np.zeros(len(doubt), bool)
    for start, end in zip(alignment.starts, alignment.ends, strict=True):
        written[start:end] = True
    missing = float(np.bincount(np.cumsum(written), weights=doubt * ~written).max())
    n_tokens = min(INVENTED_TOKENS, len(alignment.starts))
    if n_tokens == 0:
        return missing, False
    firsts, lasts = alignment.starts[: len(alignment.starts) - n_tokens + 1], alignment.ends[n_tokens - 1 :]
    doubts, n_heard = (
        (before := np.concatenate([[0.0], np.cumsum(values)]))[lasts] - before[firsts]
        for values in (doubt, heard.labels != Tokenizer.blank)
    )
    unheard = n_tokens == INVENTED_TOKENS and bool((n_heard == 0).any())
    return missing, unheard or bool((doubts > INVENTED_DOUBT).any())
