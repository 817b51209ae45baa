"""From tokens to words with times."""

from collections.abc import Callable, Sequence

from asr.recognizer.transcript import Word
from asr.search.ctc_align import Alignment
from asr.text.tokenizer import BOUNDARY, Tokenizer

MAX_LEAD_S = 0.1


def words_of(
    tokenizer: Tokenizer, tokens: Sequence[int], alignment: Alignment | None, second_of: Callable[[int], float]
) -> tuple[Word, ...]:
    """Names the words of a transcript and says where they were said.

    A word ends where its last token does and starts where its first does, except that CTC is sure of a first character
    only after it has begun: where a boundary between words is a token of its own, the word starts midway between that
    token's start and the character's, at most `MAX_LEAD_S` before the character. That halves the error of starts
    (`scripts/measure_word_times`).

    Args:
        tokenizer: Of the model.
        tokens: Of the transcript.
        alignment: Where they are; None where nobody knows.
        second_of: From the number of a state to the second at which it begins, never falling.
    """
    words = tokenizer.words(tokens)
    if alignment is None:
        return tuple(Word(text) for text, _ in words)
    starts, ends = ([second_of(int(state)) for state in states] for states in (alignment.starts, alignment.ends))
    pieces, found = tokenizer.pieces(tokens), []
    for text, places in words:
        first = places[0]
        start_s = starts[first]
        if first > 0 and pieces[first - 1] == BOUNDARY:
            start_s = max((starts[first - 1] + start_s) / 2, start_s - MAX_LEAD_S)
        found.append(Word(text, start_s, ends[places[-1]]))
    return tuple(found)
