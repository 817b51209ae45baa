"""Reverberation for training utterances: simulated shoebox rooms, or recorded impulse responses.

The early part of a simulated response comes from image sources (Allen & Berkley 1979); the late part, where
reflections are too dense to tell apart, is Gaussian noise that decays as the room's images do on average (as in
Lehmann & Johansson 2010), so a response costs the same in a live room as in a dead one.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from asr.audio.draws import sub_key, uniforms
from asr.audio.noise import list_recordings
from asr.audio.read import RATE_HZ, AudioError, read_audio

SOUND_M_PER_S = 343.0
EARLY_S = 0.05
"""How long after the direct path reflections are followed one by one."""

SMALLEST_M, LARGEST_M = (3.0, 3.0, 2.4), (10.0, 10.0, 4.0)
"""Rooms are drawn between these sizes: length, width, height."""

FROM_WALLS_M = 0.5
CLOSEST_M = 0.1
MAX_RECORDED_S = 1.0
MAX_RECORDED = 1000
"""Recorded responses are cut to this length, and this many, evenly spread over the folder, are kept in memory."""

_HALF_TAPS = 16
_BLOCK = 1 << 12


@dataclass(frozen=True)
class Rooms:
    """R shoebox rooms with walls that all reflect alike, and who is where in them.

    Attributes:
        size_m: (R, 3) float64 length, width, height.
        talker_m: (R, 3) float64 position, from a corner.
        microphone_m: (R, 3) float64 position.
        rt60_s: (R,) float64 time in which sound decays by 60 dB.
    """

    size_m: Tensor
    talker_m: Tensor
    microphone_m: Tensor
    rt60_s: Tensor

    @property
    def reflection(self) -> Tensor:
        """(R,) share of the pressure that a wall reflects, from the decay time by Eyring's formula (1930)."""
        length, width, height = self.size_m.unbind(1)
        volume, surface = self.size_m.prod(1), 2 * (length * width + width * height + height * length)
        return torch.exp(-12 * math.log(10) * volume / (SOUND_M_PER_S * surface * self.rt60_s))

    @property
    def direct_m(self) -> Tensor:
        """(R,) from talker to microphone, at least `CLOSEST_M`."""
        return (self.talker_m - self.microphone_m).norm(dim=1).clamp(min=CLOSEST_M)


class Reverb:
    """Puts utterances into rooms. The direct path stays at time 0; length and root mean square stay as they were.

    Args:
        share: Probability that an utterance is reverberated.
        rt60_s: Shortest and longest decay time of simulated rooms, drawn evenly between.
        folder: Recorded impulse responses, one drawn per utterance; None simulates rooms.

    Raises:
        NoiseError, AudioError: As `load_responses`.
    """

    def __init__(self, share: float, rt60_s: tuple[float, float], folder: Path | None = None) -> None:
        self.share = share
        self.rt60_s = rt60_s
        self.responses = load_responses(folder) if folder else None

    def __call__(self, samples: Tensor, sample_lens: Tensor, keys: Tensor) -> Tensor:
        """Reverberates some utterances.

        Args:
            samples: (B, N), zero beyond each length.
            sample_lens: (B,) int64.
            keys: (B,) int64; an utterance's room depends on its own key alone.

        Returns:
            (B, N), zero beyond each length.
        """
        rows = [row for row, key in enumerate(keys.tolist()) if uniforms(key, "gets reverb", 1)[0] < self.share]
        if not rows:
            return samples
        dry = samples[rows]
        wet = convolve(dry, self.draw(keys[rows].tolist()).to(samples))
        wet = wet * (torch.arange(wet.shape[1], device=wet.device) < sample_lens[rows, None])
        power = wet.square().sum(1).clamp(min=torch.finfo(wet.dtype).tiny)
        result = samples.clone()
        result[rows] = wet * (dry.square().sum(1) / power).sqrt()[:, None]
        return result

    def draw(self, keys: list[int]) -> Tensor:
        """Impulse responses for utterances with these keys: (R, L), on the CPU."""
        if self.responses is None:
            return impulse_responses(draw_rooms(keys, self.rt60_s), keys)
        return self.responses[[int(uniforms(key, "response", 1)[0] * len(self.responses)) for key in keys]]


def convolve(samples: Tensor, responses: Tensor) -> Tensor:
    """Convolves each row with its response: (R, N) and (R, L) -> (R, N), the tail cut off."""
    n_samples = samples.shape[1]
    size = _BLOCK * -(-(n_samples + responses.shape[1] - 1) // _BLOCK)
    spectrum = torch.fft.rfft(samples, size) * torch.fft.rfft(responses, size)
    return torch.fft.irfft(spectrum, size)[:, :n_samples]


def draw_rooms(keys: list[int], rt60_s: tuple[float, float]) -> Rooms:
    """Draws a room per key, talker and microphone anywhere in it but next to a wall."""
    draws = torch.tensor([uniforms(key, "room", 10) for key in keys], dtype=torch.float64)
    smallest, largest = torch.tensor(SMALLEST_M).double(), torch.tensor(LARGEST_M).double()
    size = smallest + (largest - smallest) * draws[:, :3]
    talker, microphone = (FROM_WALLS_M + (size - 2 * FROM_WALLS_M) * draws[:, first : first + 3] for first in (3, 6))
    return Rooms(size, talker, microphone, rt60_s[0] + (rt60_s[1] - rt60_s[0]) * draws[:, 9])


def impulse_responses(rooms: Rooms, keys: list[int]) -> Tensor:
    """Simulates what a microphone hears of a click; the direct path has time 0 and height 1.

    Args:
        rooms: R of them.
        keys: R keys for the late part, which is random.

    Returns:
        (R, L) float64, 16 kHz, each as long as its room's decay time, zero beyond.
    """
    lens = (rooms.rt60_s * RATE_HZ).ceil().long().clamp(min=1)
    n_taps, n_early = int(lens.max()), round(EARLY_S * RATE_HZ)
    late = torch.zeros(len(keys), n_taps, dtype=torch.float64)
    for row, (key, length) in enumerate(zip(keys, lens.tolist(), strict=True)):
        if length > n_early:
            draws = torch.randn(length - n_early, generator=torch.Generator().manual_seed(sub_key(key, "late reverb")))
            late[row, n_early:length] = draws
    # Images come 4π c³ t² / V a second; each has the power (r0 / ct)² · 10^(-6 t / RT60) of Eyring's mean decay.
    start_s = rooms.direct_m / SOUND_M_PER_S
    power = 4 * math.pi * SOUND_M_PER_S * rooms.direct_m**2 / (rooms.size_m.prod(1) * RATE_HZ)
    times_s = start_s[:, None] + torch.arange(n_taps) / RATE_HZ
    late *= power.sqrt()[:, None] * 10 ** (-3 * times_s / rooms.rt60_s[:, None])
    responses = late + _early(rooms, n_taps)
    return responses * (torch.arange(n_taps) < lens[:, None])


def image_sources(rooms: Rooms, after_s: float) -> tuple[Tensor, Tensor, Tensor]:
    """Lists the mirror images of the talker whose sound comes at most `after_s` after the direct path.

    Returns:
        For each of I images: its room (I,) int64, its delay after the direct path in seconds (I,) float64, and its
        height relative to the direct path (I,) float64: wall losses times r0 / r.
    """
    reach_m = rooms.direct_m + after_s * SOUND_M_PER_S
    most = (reach_m[:, None] / rooms.size_m).max(0).values.ceil().long() + 1
    squares, counts = [], []
    for axis in range(3):
        bounces = torch.arange(-int(most[axis]), int(most[axis]) + 1)
        size, talker = rooms.size_m[:, axis, None], rooms.talker_m[:, axis, None]
        mirrored = torch.where(bounces % 2 == 0, bounces * size + talker, (bounces + 1) * size - talker)
        squares.append((mirrored - rooms.microphone_m[:, axis, None]).square())
        counts.append(bounces.abs())
    distance = (squares[0][:, :, None, None] + squares[1][:, None, :, None] + squares[2][:, None, None, :]).sqrt()
    n_bounces = counts[0][:, None, None] + counts[1][:, None] + counts[2]
    room, *place = torch.nonzero(distance <= reach_m[:, None, None, None], as_tuple=True)
    far = distance[(room, *place)].clamp(min=CLOSEST_M)
    direct = rooms.direct_m[room]
    return room, (far - direct) / SOUND_M_PER_S, rooms.reflection[room] ** n_bounces[tuple(place)] * direct / far


def _early(rooms: Rooms, n_taps: int) -> Tensor:
    """(R, n_taps) direct path and early reflections, at fractions of a sample by a windowed sinc."""
    room, delay_s, height = image_sources(rooms, EARLY_S)
    at = delay_s * RATE_HZ
    whole = at.floor()
    offset = torch.arange(1 - _HALF_TAPS, _HALF_TAPS + 1) - (at - whole)[:, None]
    window = torch.cos(math.pi / 2 * offset / (_HALF_TAPS + 1)).square()
    values = height[:, None] * torch.sinc(offset) * window
    # Room for what lies before time 0 and beyond the end, which is then cut off.
    width = n_taps + 2 * _HALF_TAPS + round(EARLY_S * RATE_HZ) + 1
    place = whole.long()[:, None] + torch.arange(1, 2 * _HALF_TAPS + 1) + room[:, None] * width
    flat = torch.zeros(len(rooms.rt60_s) * width, dtype=torch.float64)
    flat.index_add_(0, place.flatten(), values.flatten())
    return flat.view(-1, width)[:, _HALF_TAPS : _HALF_TAPS + n_taps]


def load_responses(folder: Path) -> Tensor:
    """Reads recorded impulse responses, each from its highest peak (the direct path, made 1) on.

    Args:
        folder: Searched recursively; of more than `MAX_RECORDED` files, that many are taken, evenly spread.

    Returns:
        (K, L) float32 on the CPU, L at most `MAX_RECORDED_S`, shorter ones zero-padded.

    Raises:
        NoiseError: No such folder, or no recording in it.
        AudioError: A recording cannot be decoded or is silent.
    """
    files = list_recordings(folder, "augment.reverb.folder")
    kept = [files[rank * len(files) // min(len(files), MAX_RECORDED)] for rank in range(min(len(files), MAX_RECORDED))]
    responses = []
    for path in kept:
        response = torch.from_numpy(read_audio(path))
        peak = int(response.abs().argmax())
        if not response[peak]:
            raise AudioError(f"{path}: silent, so no impulse response; take it out of the folder")
        responses.append(response[peak : peak + round(MAX_RECORDED_S * RATE_HZ)] / response[peak])
    return torch.nn.utils.rnn.pad_sequence(responses, batch_first=True)
