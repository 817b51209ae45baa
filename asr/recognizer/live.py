"""Transcribe sound while it comes."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from asr.audio.live import utterances
from asr.audio.read import Samples
from asr.recognizer.decode import Stretch
from asr.recognizer.recognizer import Recognizer
from asr.recognizer.transcript import Segment, clean


def transcribe_live(
    recognizer: Recognizer, blocks: Iterable[Samples], *, longest_s: float | None = None
) -> Iterator[Segment]:
    """Transcribes utterances as soon as each has ended.

    Args:
        recognizer: Listens and writes.
        blocks: (n,) samples each, 16 kHz, as long as there are any.
        longest_s: Longest utterance; None takes the longest that the model was trained with.

    Yields:
        What was said, with times from the first block on and text that is safe to print; silence is left out.
    """
    for piece in utterances(blocks, longest_s or recognizer.recipe.data.max_duration_s):
        stretch = Stretch.of(piece.samples, piece.start)
        (segment,) = recognizer.recognize([stretch], *recognizer.listen([piece.samples]))
        if clean(segment.text):
            yield replace(segment, text=clean(segment.text))
