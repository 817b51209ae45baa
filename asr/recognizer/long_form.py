"""Transcribe recordings of any length and number: cut at pauses, batched with each other, in constant memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asr.audio.pauses import set_pauses_apart
from asr.audio.pieces import Piece, cut_at_pauses
from asr.audio.read import AudioError, Samples
from asr.dataset.plan import in_order
from asr.recognizer.decode import Stretch
from asr.recognizer.memory import give_back_memory, large_tensors_apart
from asr.recognizer.recordings import Recording
from asr.recognizer.transcript import Segment, Transcript

if TYPE_CHECKING:
    from asr.recognizer.recognizer import Recognizer

N_BATCHES = 2
"""Pieces of so many batches are gathered, so that pieces in a batch are of like length."""

Outcome = Transcript | AudioError | OSError
Told = Callable[[float, Sequence[str]], None]
"""Told the seconds of audio that are done since it was last told, and the names of what is next."""


@dataclass(eq=False)
class _Unfinished:
    """A recording of which some is still to be read or heard.

    Attributes:
        segments: Those known so far, by number.
        n_pieces: Its pieces so far.
        read: Whether all of it was read.
    """

    segments: dict[int, Segment] = field(default_factory=dict)
    n_pieces: int = 0
    read: bool = False


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A piece that is to be heard: of which recording, which number it has there, where it is, and its samples."""

    owner: int
    number: int
    stretch: Stretch
    samples: Samples

    @property
    def duration_s(self) -> float:
        return self.stretch.end_s - self.stretch.start_s


def transcribe_all(
    recognizer: "Recognizer",
    recordings: Sequence[Recording],
    *,
    longest_s: float | None = None,
    tell: Told = lambda seconds, names: None,
) -> Iterator[tuple[int, Outcome]]:
    """Transcribes recordings one after the other; each comes out as soon as it is finished.

    A recording is cut at its pauses, of which long ones are set apart. Pieces in which nothing sounds like speech are
    not listened to; others are, batched with those of other recordings, which change nothing in each other's text.

    Args:
        recognizer: Listens and writes.
        recordings: What is to be transcribed.
        longest_s: Longest piece; None takes the longest utterance that the model was trained with.
        tell: See `Told`.

    Yields:
        A recording's number, and its transcript or why it could not be read.
    """
    longest_s = longest_s or recognizer.recipe.data.max_duration_s
    pool_s = N_BATCHES * recognizer.recipe.search.batch_s
    unfinished: dict[int, _Unfinished] = {}
    waiting: list[_Waiting] = []
    for index, recording in enumerate(recordings):
        state = unfinished[index] = _Unfinished()
        try:
            for piece in cut_at_pauses(recording.blocks(), longest_s):
                for stretch, samples in _stretches(recognizer, piece):
                    if not recognizer.listens_to(stretch):
                        state.segments[state.n_pieces] = recognizer.silence(stretch)
                        tell(stretch.end_s - stretch.start_s, [recording.name])
                    else:
                        waiting.append(_Waiting(index, state.n_pieces, stretch, samples))
                    state.n_pieces += 1
                if sum(each.duration_s for each in waiting) >= pool_s:
                    _hear(recognizer, waiting, recordings, unfinished, tell)
                    yield from _finished(recognizer, recordings, unfinished)
            state.read = True
        except (AudioError, OSError) as error:
            waiting = [each for each in waiting if each.owner != index]
            del unfinished[index]
            yield index, error
        yield from _finished(recognizer, recordings, unfinished)
    _hear(recognizer, waiting, recordings, unfinished, tell)
    yield from _finished(recognizer, recordings, unfinished)


def _stretches(recognizer: "Recognizer", piece: Piece) -> Iterator[tuple[Stretch, Samples]]:
    """A piece whole, if there is nothing to hear, or its long pauses and what is between them."""
    whole = Stretch.of(piece.samples, piece.start)
    parts = list(set_pauses_apart(piece)) if recognizer.listens_to(whole) else [piece]
    if len(parts) == 1:
        yield whole, piece.samples
        return
    for part in parts:
        yield Stretch.of(part.samples, part.start), part.samples


def _hear(
    recognizer: "Recognizer",
    waiting: list[_Waiting],
    recordings: Sequence[Recording],
    unfinished: dict[int, _Unfinished],
    tell: Told,
) -> None:
    """Writes the segments of all pieces that wait, batch by batch, and empties the list and what it held."""
    for indices in in_order([each.duration_s for each in waiting], recognizer.recipe.search.batch_s):
        chosen = [waiting[index] for index in indices]
        tell(0.0, sorted({recordings[each.owner].name for each in chosen}))
        with large_tensors_apart():
            states, state_lens = recognizer.listen([each.samples for each in chosen])
        segments = recognizer.recognize([each.stretch for each in chosen], states, state_lens)
        for each, segment in zip(chosen, segments, strict=True):
            unfinished[each.owner].segments[each.number] = segment
        tell(sum(each.duration_s for each in chosen), [])
    waiting.clear()
    give_back_memory()


def _finished(
    recognizer: "Recognizer", recordings: Sequence[Recording], unfinished: dict[int, _Unfinished]
) -> Iterator[tuple[int, Transcript]]:
    """The transcripts of recordings that were read and heard whole, which are then forgotten."""
    done = [index for index, state in unfinished.items() if state.read and len(state.segments) == state.n_pieces]
    for index in done:
        state, recording = unfinished.pop(index), recordings[index]
        segments = tuple(state.segments[number] for number in range(state.n_pieces))
        end_s, language = segments[-1].end_s if segments else 0.0, recognizer.recipe.data.language
        yield index, Transcript(recording.name, recording.file, end_s, language, segments)
