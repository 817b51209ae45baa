"""Recordings of any length: exact cover, one transcript each, none changed by what else is asked for."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.read import AudioError, Samples
from asr.recognizer.decode import Stretch
from asr.recognizer.long_form import transcribe_all
from asr.recognizer.recordings import Recording
from asr.recognizer.transcript import Segment, Transcript


class FakeRecognizer:
    """Writes a checksum of what it hears, and notes how much at once."""

    def __init__(self, batch_s: float = 10.0) -> None:
        data = SimpleNamespace(max_duration_s=3.0, language="en")
        self.recipe = SimpleNamespace(data=data, search=SimpleNamespace(batch_s=batch_s))
        self.batches: list[float] = []

    def listens_to(self, stretch: Stretch) -> bool:
        return stretch.may_be_speech

    def silence(self, stretch: Stretch) -> Segment:
        return Segment(stretch.start_s, stretch.end_s, "", 0.0, 0, flags=("no_speech",))

    def listen(self, recordings: list[Samples]) -> tuple[torch.Tensor, torch.Tensor]:
        self.batches.append(len(recordings) * max(map(len, recordings)) / 16000)
        sums = [float(np.sum(each, dtype=np.float64)) for each in recordings]
        return torch.tensor(sums, dtype=torch.float64), torch.tensor([1] * len(sums))

    def recognize(self, stretches: list[Stretch], states: torch.Tensor, state_lens: torch.Tensor) -> list[Segment]:
        pairs = zip(stretches, states.tolist(), strict=True)
        return [Segment(each.start_s, each.end_s, f"{total:.6f}", -1.0, 1) for each, total in pairs]


def bursts(seed: int, n_samples: int) -> np.ndarray:
    """Noise that comes and goes, and hisses and hums, each half a second."""
    rng = np.random.default_rng(seed)
    loud, dull = (np.repeat(rng.uniform(0, 1, n_samples // 8000 + 1) > 0.3, 8000)[:n_samples] for _ in range(2))
    hiss = rng.standard_normal(n_samples)
    hum = np.convolve(hiss, np.ones(16) / 4)[:n_samples]
    return (0.1 * np.where(dull, hum, hiss) * loud).astype(np.float32)


def failing(after: list[np.ndarray]) -> Recording:
    def blocks():
        yield from after
        raise AudioError("broken")

    return Recording("broken", None, blocks, Recording.of_samples(np.zeros(1)).place)


@given(sizes=st.lists(st.integers(1, 200_000), min_size=1, max_size=6), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_a_transcript_depends_on_its_recording_alone(sizes: list[int], seed: int) -> None:
    samples = [bursts(seed + number, size) for number, size in enumerate(sizes)]
    recordings = [Recording.of_samples(each) for each in samples]
    together = dict(transcribe_all(FakeRecognizer(), recordings))
    assert sorted(together) == list(range(len(sizes)))
    for number, each in enumerate(samples):
        alone = dict(transcribe_all(FakeRecognizer(batch_s=1.0), [recordings[number]]))[0]
        assert alone == together[number]
        assert isinstance(alone, Transcript)
        segments = alone.segments
        assert segments[0].start_s == 0.0
        assert segments[-1].end_s == alone.duration_s == len(each) / 16000
        assert all(one.end_s == next_.start_s for one, next_ in zip(segments, segments[1:], strict=False))


def test_batches_stay_within_the_budget_and_memory_within_some_batches() -> None:
    recognizer, done_s = FakeRecognizer(), 0.0

    def tell(seconds: float, names: list[str]) -> None:
        nonlocal done_s
        done_s += seconds

    n_read, furthest_s = 0, 0.0

    def blocks():
        nonlocal n_read, furthest_s
        for number in range(200):
            n_read += 16000
            furthest_s = max(furthest_s, n_read / 16000 - done_s)
            yield bursts(number, 16000) + 0.01 * bursts(number + 1000, 16000)

    recording = Recording("long", None, blocks, Recording.of_samples(np.zeros(1)).place)
    ((_, transcript),) = transcribe_all(recognizer, [recording], tell=tell)
    assert isinstance(transcript, Transcript)
    assert done_s == pytest.approx(200.0)
    assert max(recognizer.batches) <= 10.0
    assert furthest_s <= 2 * 10.0 + 1.25 * 3.0 + 1.0


def test_a_recording_comes_out_before_the_next_are_read() -> None:
    read = []

    def blocks(number: int):
        read.append(number)
        yield bursts(number, 16000 * 30)

    recordings = [
        Recording(f"{n}", None, lambda n=n: blocks(n), Recording.of_samples(np.zeros(1)).place) for n in (0, 1, 2)
    ]
    for index, _ in transcribe_all(FakeRecognizer(batch_s=3.0), recordings):
        assert len(read) <= index + 2


def test_a_broken_recording_stops_no_other() -> None:
    recordings = [
        Recording.of_samples(bursts(1, 16000)),
        failing([bursts(2, 160_000)]),
        Recording.of_samples(bursts(3, 50_000)),
    ]
    alone = dict(transcribe_all(FakeRecognizer(), [recordings[0], recordings[2]]))
    found = dict(transcribe_all(FakeRecognizer(), recordings))
    assert isinstance(found.pop(1), AudioError)
    assert list(found.values()) == list(alone.values())


def test_steady_noise_is_not_listened_to() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(16000 * 20)
    recognizer = FakeRecognizer()
    ((_, transcript),) = transcribe_all(recognizer, [Recording.of_samples(noise)])
    assert isinstance(transcript, Transcript)
    assert (transcript.text, transcript.flags, recognizer.batches) == ("", ("no_speech",), [])


def test_long_pauses_are_not_listened_to() -> None:
    """Ten seconds of which two are loud: those and half a second around them are heard, and times are those of all."""
    sound = np.concatenate([np.zeros(48_000, np.float32), bursts(3, 32_000) + bursts(4, 32_000), np.zeros(80_000)])
    heard: list[int] = []

    class Listening(FakeRecognizer):
        def listen(self, recordings: list[Samples]) -> tuple[torch.Tensor, torch.Tensor]:
            heard.extend(map(len, recordings))
            return super().listen(recordings)

    recording = Recording.of_samples(sound)
    ((_, transcript),) = transcribe_all(Listening(), [recording], longest_s=20.0)
    assert isinstance(transcript, Transcript)
    before, word, behind = transcript.segments
    assert heard == [round((word.end_s - word.start_s) * 16000)]
    assert (word.start_s, word.end_s) == (pytest.approx(2.5, abs=0.6), pytest.approx(5.5, abs=0.6))
    assert (before.flags, word.flags, behind.flags) == (("no_speech",), (), ("no_speech",))
    assert (before.start_s, behind.end_s, transcript.flags) == (0.0, 10.0, ())
