"""Reverberation for training utterances: simulated shoebox rooms, or recorded impulse responses.

The early part of a simulated response comes from mirror images of the source (Allen & Berkley 1979). Later reflections
are too dense to tell apart and become noise that decays as the images do on average (as in Lehmann & Johansson 2010),
so a live room costs no more than a dead one.
"""

import math
from pathlib import Path

import torch
from torch import Tensor

from asr.audio.draws import many_uniforms, uniforms
from asr.audio.noise import list_recordings
from asr.audio.read import RATE_HZ, AudioError, read_audio

SPEED_M_S = 343.0
IMPULSE_SAMPLES = RATE_HZ
"""Length of an impulse response: a second."""

EARLY_SAMPLES = 1024
"""Part of it, 64 ms, in which images are counted one by one."""

MAX_RECORDED = 1000
"""Recorded responses kept in memory (64 MB); of a larger folder, so many evenly spread."""

SMALLEST_M, LARGEST_M = (3.0, 2.5, 2.4), (8.0, 6.0, 3.5)
"""Rooms are drawn between these sizes: length, width, height."""

FROM_WALLS_M = 0.3
CLOSEST_M = 0.3
_HALF_WINDOW = 8
_FFT_SIZE = 1 << 15

Point = tuple[float, float, float]


class Reverb:
    """Puts some utterances in rooms. The direct sound stays at time 0; length and root mean square stay as they were.

    Args:
        share: Probability that an utterance is put in a room.
        rt60_s: Shortest and longest time in which sound falls by 60 dB, of simulated rooms, drawn evenly between.
        folder: Recorded impulse responses, one drawn for each utterance; None simulates rooms.

    Raises:
        NoiseError, AudioError: As `load_responses`.
    """

    def __init__(self, share: float, rt60_s: tuple[float, float], folder: Path | None) -> None:
        self.share = share
        self.rt60_s = rt60_s
        self.recorded = load_responses(folder) if folder else None

    def __call__(self, samples: Tensor, sample_lens: Tensor, keys: Tensor) -> Tensor:
        """Varies samples (B, N) of sample_lens (B,).

        Args:
            samples: Zero beyond each length.
            sample_lens: int64.
            keys: (B,) int64; an utterance's room depends on its own key alone.

        Returns:
            (B, N), zero beyond each length.
        """
        rows = [row for row, key in enumerate(keys.tolist()) if uniforms(key, "gets a room", 1)[0] < self.share]
        if not rows:
            return samples
        dry = samples[rows]
        wet = convolve(dry, self.impulses(keys[rows].tolist(), samples.device).to(samples))
        inside = torch.arange(wet.shape[1], device=wet.device) < sample_lens[rows].to(wet.device)[:, None]
        wet = wet * inside
        power = wet.square().sum(1).clamp(min=torch.finfo(wet.dtype).tiny)
        result = samples.clone()
        result[rows] = wet * (dry.square().sum(1) / power).sqrt()[:, None]
        return result

    def impulses(self, keys: list[int], device: torch.device) -> Tensor:
        """The impulse responses of utterances with these keys: (rows, IMPULSE_SAMPLES), the direct sound first."""
        if self.recorded is not None:
            drawn = [int(uniforms(key, "recorded room", 1)[0] * len(self.recorded)) for key in keys]
            return self.recorded[drawn].to(device)
        columns = zip(*(draw_room(key, self.rt60_s) for key in keys), strict=True)
        room, source, microphone, rt60_s = (torch.tensor(column, dtype=torch.float64) for column in columns)
        # A few thousand numbers, added up in one order: on a GPU the order, and so the bits, would vary.
        early = early_impulses(room, source, microphone, wall_reflection(room, rt60_s)).to(device)
        draws = many_uniforms(keys, "late sound", IMPULSE_SAMPLES - EARLY_SAMPLES, device)
        late = late_impulses(room.to(device), source.to(device), microphone.to(device), rt60_s.to(device), draws)
        return torch.cat([early, late], 1)


def draw_room(key: int, rt60_s: tuple[float, float]) -> tuple[Point, Point, Point, float]:
    """Draws a shoebox, the places of source and microphone in it, in metres from a corner, and its decay time."""
    draws = uniforms(key, "room", 10)
    bounds = zip(SMALLEST_M, LARGEST_M, draws[:3], strict=True)
    room = [low + (high - low) * draw for low, high, draw in bounds]
    source, microphone = (
        [FROM_WALLS_M + (size - 2 * FROM_WALLS_M) * draw for size, draw in zip(room, place, strict=True)]
        for place in (draws[3:6], draws[6:9])
    )
    if math.dist(source, microphone) < CLOSEST_M:  # as far as can be from one corner to another
        microphone = [size - place for size, place in zip(room, microphone, strict=True)]
    decay_s = rt60_s[0] + (rt60_s[1] - rt60_s[0]) * draws[9]
    return _point(room), _point(source), _point(microphone), decay_s


def _point(values: list[float]) -> Point:
    x, y, z = values
    return x, y, z


def wall_reflection(room: Tensor, rt60_s: Tensor) -> Tensor:
    """Share of the pressure that walls must reflect for a decay time, by Eyring (1930): (R, 3), (R,) -> (R,)."""
    length, width, height = room.unbind(1)
    surface = 2 * (length * width + width * height + height * length)
    return torch.exp(-12 * math.log(10) * room.prod(1) / (SPEED_M_S * surface * rt60_s))


def early_impulses(room: Tensor, source: Tensor, microphone: Tensor, reflection: Tensor) -> Tensor:
    """Adds up the images of the source: what a microphone hears of a click in its first 64 ms.

    Walls reflect with the sign turned (Lehmann & Johansson 2008): equal signs would add up to a pressure that stays.

    Args:
        room: (R, 3) float64 sizes in metres.
        source: (R, 3) places.
        microphone: (R, 3) places.
        reflection: (R,) share of the pressure that a wall reflects.

    Returns:
        (R, EARLY_SAMPLES) float64; the direct sound has time 0 and height 1.
    """
    direct = (source - microphone).norm(dim=1)
    reach = direct + (EARLY_SAMPLES + _HALF_WINDOW) * SPEED_M_S / RATE_HZ
    squares, walls = _images(room, source, microphone, float(reach.max()))
    distance = (squares[0][:, :, None, None] + squares[1][:, None, :, None] + squares[2][:, None, None, :]).sqrt()
    n_walls = walls[0][:, None, None] + walls[1][:, None] + walls[2]
    row, *cell = torch.nonzero(distance < reach[:, None, None, None], as_tuple=True)
    far = distance[(row, *cell)]
    strength = (-reflection[row]) ** n_walls[tuple(cell)] * direct[row] / far
    delay = (far - direct[row]) / SPEED_M_S * RATE_HZ
    # A delay is rarely whole: a sinc, windowed, that peaks between the samples.
    first = delay.floor().long() - _HALF_WINDOW + 1
    taps = first[:, None] + torch.arange(2 * _HALF_WINDOW)
    apart = taps - delay[:, None]
    values = strength[:, None] * torch.sinc(apart) * torch.cos(math.pi / 2 / _HALF_WINDOW * apart).square()
    margin = 2 * _HALF_WINDOW
    width = EARLY_SAMPLES + 2 * margin
    sums = torch.zeros(len(room) * width, dtype=torch.float64)
    sums.index_add_(0, (row[:, None] * width + margin + taps).flatten(), values.flatten())
    return sums.view(-1, width)[:, margin : margin + EARLY_SAMPLES]


def _images(room: Tensor, source: Tensor, microphone: Tensor, reach: float) -> tuple[list[Tensor], list[Tensor]]:
    """For each axis: squared distances (R, I) from the microphone to images, and how many walls (I,) each has met."""
    squares, walls = [], []
    for axis in range(3):
        most = math.ceil(reach / float(room[:, axis].min())) + 1
        met = torch.arange(-most, most + 1)
        size, place = room[:, axis, None], source[:, axis, None]
        mirrored = torch.where(met % 2 == 0, met * size + place, (met + 1) * size - place)
        squares.append((mirrored - microphone[:, axis, None]).square())
        walls.append(met.abs())
    return squares, walls


def late_impulses(room: Tensor, source: Tensor, microphone: Tensor, rt60_s: Tensor, draws: Tensor) -> Tensor:
    """Goes on where `early_impulses` ends, with noise of the power that images have on average.

    4π c³ t² / V images come in a second, each with the power (r0 / ct)² · 10^(-6 t / RT60).

    Args:
        room: (R, 3) float64 sizes in metres.
        source: (R, 3) places.
        microphone: (R, 3) places.
        rt60_s: (R,) decay times.
        draws: (R, n) from [0, 1).

    Returns:
        (R, n) float64, from sample `EARLY_SAMPLES` on.
    """
    direct = (source - microphone).norm(dim=1)
    power = 4 * math.pi * SPEED_M_S * direct.square() / (room.prod(1) * RATE_HZ)
    n_samples = EARLY_SAMPLES + torch.arange(draws.shape[1], device=draws.device)
    times_s = (direct / SPEED_M_S)[:, None] + n_samples / RATE_HZ
    falls = torch.exp(-3 * math.log(10) * times_s / rt60_s[:, None])
    return math.sqrt(12) * (draws - 0.5) * power.sqrt()[:, None] * falls


def convolve(samples: Tensor, impulses: Tensor) -> Tensor:
    """Convolves each row of samples (R, N) with its impulse response (R, L), block by block: (R, N), the end cut off.

    Blocks begin at the same places whatever N is, so that padding does not change how sums are rounded.
    """
    n_samples, block = samples.shape[1], _FFT_SIZE - impulses.shape[1]
    n_blocks = -(-n_samples // block)
    blocks = torch.nn.functional.pad(samples, (0, n_blocks * block - n_samples)).view(len(samples), n_blocks, block)
    response = torch.fft.rfft(impulses, _FFT_SIZE)[:, None]
    heard = torch.fft.irfft(torch.fft.rfft(blocks, _FFT_SIZE) * response, _FFT_SIZE)
    result = samples.new_zeros(len(samples), (n_blocks - 1) * block + _FFT_SIZE)
    for number in range(n_blocks):
        result[:, number * block : number * block + _FFT_SIZE] += heard[:, number]
    return result[:, :n_samples]


def load_responses(folder: Path) -> Tensor:
    """Reads recorded impulse responses, each from its highest peak (the direct sound, made 1) on.

    Returns:
        (K, IMPULSE_SAMPLES) float32, shorter ones zero-padded, K at most `MAX_RECORDED`.

    Raises:
        NoiseError: No such folder, or no recording in it.
        AudioError: A recording cannot be decoded or is silent.
    """
    files = list_recordings(folder, "augment.reverb.folder")
    n_kept = min(len(files), MAX_RECORDED)
    responses = torch.zeros(n_kept, IMPULSE_SAMPLES)
    for row in range(n_kept):
        path = files[row * len(files) // n_kept]
        response = torch.from_numpy(read_audio(path))
        peak = int(response.abs().argmax())
        if not response[peak]:
            raise AudioError(f"{path}: silent, so no impulse response; take it out of its folder")
        kept = response[peak : peak + IMPULSE_SAMPLES] / response[peak]
        responses[row, : len(kept)] = kept
    return responses
