import math

import numpy as np
import pytest
import soundfile
import torch

from asr.audio.noise import NoiseError
from asr.audio.read import RATE_HZ, AudioError
from asr.audio.reverb import (
    IMPULSE_SAMPLES,
    SPEED_M_S,
    Reverb,
    convolve,
    draw_room,
    early_impulses,
    late_impulses,
    wall_reflection,
)
from asr.dataset.draws import draw_key

CPU = torch.device("cpu")
KEYS = [draw_key("reverb test", n) for n in range(40)]


def metres(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def utterances(lens, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    samples = torch.zeros(len(lens), max(lens), dtype=dtype)
    for row, length in enumerate(lens):
        samples[row, :length] = torch.randn(length, generator=generator, dtype=torch.float64).to(dtype) / 10
    return samples, torch.tensor(lens)


def naive_images(room, source, microphone, reflection, n_samples):
    """Allen & Berkley's equation with its eight mirrorings and triple sum: (delay in samples, strength) of images."""
    found = []
    direct = math.dist(source, microphone)
    reach = direct + n_samples * SPEED_M_S / RATE_HZ
    most = [math.ceil(reach / (2 * size)) + 1 for size in room]
    for cell in np.ndindex(*(2 * each + 1 for each in most)):
        m = [number - each for number, each in zip(cell, most, strict=True)]
        for mirrored in np.ndindex(2, 2, 2):
            place = [(1 - 2 * q) * s + 2 * n * size for q, s, n, size in zip(mirrored, source, m, room, strict=True)]
            walls = sum(abs(n - q) + abs(n) for q, n in zip(mirrored, m, strict=True))
            distance = math.dist(place, microphone)
            if distance < reach:
                delay = (distance - direct) / SPEED_M_S * RATE_HZ
                found.append((delay, (-reflection) ** walls * direct / distance))
    return found


def naive_response(images, n_samples):
    times = np.arange(n_samples)
    response = np.zeros(n_samples)
    for delay, strength in images:
        distances = times - delay
        window = np.where(np.abs(distances) < 8, np.cos(np.pi / 16 * distances) ** 2, 0.0)
        response += strength * np.sinc(distances) * window
    return response


def test_without_walls_there_is_one_impulse():
    found = early_impulses(metres([5, 4, 3]), metres([1, 1, 1]), metres([3, 2.2, 1.7]), metres(0)[:, None][0])
    expected = torch.zeros_like(found)
    expected[0, 0] = 1.0
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_the_first_reflection_comes_when_and_as_strong_as_it_should():
    # Both 1 m above the floor and 2 m apart: by way of the floor it is sqrt(2² + 2²) m. All else is farther.
    room, source, microphone = metres([10, 8, 4]), metres([4, 4, 1]), metres([6, 4, 1])
    found = early_impulses(room, source, microphone, torch.tensor([0.5], dtype=torch.float64))[0]
    delay = (math.sqrt(8) - 2) / SPEED_M_S * RATE_HZ
    assert found[int(delay) - 10 : int(delay) + 10].abs().argmax() == round(delay) - int(delay) + 10
    around = found[int(delay) - 12 : int(delay) + 13].sum()  # a windowed sinc sums to nearly one
    assert abs(around - -0.5 * 2 / math.sqrt(8)) < 0.01


@pytest.mark.parametrize(
    ("room", "source", "microphone"),
    [
        ((3.0, 2.5, 2.2), (0.4, 1.9, 1.1), (2.3, 0.6, 1.8)),
        ((6.1, 4.3, 2.9), (5.2, 0.7, 1.6), (1.3, 3.1, 0.9)),
    ],
)
def test_images_are_those_of_the_equation(room, source, microphone):
    n_samples = 1024
    expected = naive_response(naive_images(room, source, microphone, 0.8, n_samples + 8), n_samples)
    found = early_impulses(metres(room), metres(source), metres(microphone), torch.tensor([0.8], dtype=torch.float64))
    torch.testing.assert_close(found[0], torch.from_numpy(expected), rtol=0, atol=1e-9)


def test_walls_follow_eyring():
    rooms, rt60_s = metres([5, 4, 3], [8, 3, 2.5]), torch.tensor([0.4, 0.2], dtype=torch.float64)
    for room, rt60, found in zip(rooms.tolist(), rt60_s.tolist(), wall_reflection(rooms, rt60_s).tolist(), strict=True):
        volume = math.prod(room)
        surface = 2 * (room[0] * room[1] + room[1] * room[2] + room[0] * room[2])
        absorbed = 1 - found**2
        assert math.isclose(24 * math.log(10) / SPEED_M_S * volume / (-surface * math.log(1 - absorbed)), rt60)


def decay_s(impulse):
    """RT60 from the slope of Schroeder's backward integral between -5 and -35 dB."""
    left = impulse.double().square().flip(0).cumsum(0).flip(0)
    level_db = (10 * torch.log10(left / left[0] + 1e-12)).numpy()
    # The direct sound is a step of its own, the nearer the larger: the decay is that of what follows it.
    level_db -= level_db[16]
    start, end = (int(np.argmax(level_db < level)) for level in (-5, -35))
    slope = np.polyfit(np.arange(start, end) / RATE_HZ, level_db[start:end], 1)[0]
    return -60 / slope


@pytest.mark.parametrize("rt60_s", [0.15, 0.3, 0.6, 0.9])
def test_sound_falls_by_60_db_in_the_time_asked_for(rt60_s):
    impulses = Reverb(1.0, (rt60_s, rt60_s), None).impulses(KEYS, CPU)
    found = np.array([decay_s(impulse) for impulse in impulses])
    assert (np.abs(found / rt60_s - 1) < 0.25).all(), found


def test_the_tail_goes_on_where_the_images_end():
    reverb_s = (0.5, 0.5)
    impulses = Reverb(1.0, reverb_s, None).impulses([draw_key("seam", n) for n in range(200)], CPU)
    drawn = [draw_room(draw_key("seam", n), reverb_s) for n in range(200)]
    weight = torch.tensor([math.prod(room) / math.dist(a, b) ** 2 for room, a, b, _ in drawn], dtype=torch.float64)
    power = (impulses.square() * weight[:, None]).mean(dim=0)
    before, after = power[824:1024].mean(), power[1024:1224].mean()
    expected_db = 60 * (200 / RATE_HZ) / 0.5
    assert abs(10 * torch.log10(before / after) - expected_db) < 1.5


def test_the_direct_sound_is_one_at_time_zero():
    impulses = Reverb(1.0, (0.1, 1.0), None).impulses(KEYS, CPU)
    assert impulses.shape == (len(KEYS), IMPULSE_SAMPLES)
    assert impulses.isfinite().all()
    near_one = (impulses[:, 0] - 1).abs() < 0.5  # a wall right behind may add to it
    assert near_one.all()


def test_rooms_hold_mouth_and_microphone():
    for key in KEYS:
        room, source, microphone, rt60_s = draw_room(key, (0.2, 0.4))
        assert all(0.3 <= place <= size - 0.3 for place, size in zip(source, room, strict=True))
        assert all(0.3 <= place <= size - 0.3 for place, size in zip(microphone, room, strict=True))
        assert 0.2 <= rt60_s < 0.4
    assert len({draw_room(key, (0.2, 0.4)) for key in KEYS}) == len(KEYS)


@pytest.mark.parametrize("n_samples", [1, 16_767, 16_768, 16_769, 50_000])
def test_convolution_by_blocks_is_convolution(n_samples):
    draws = torch.Generator().manual_seed(1)
    samples = torch.randn(2, n_samples, generator=draws, dtype=torch.float64)
    impulses = torch.randn(2, IMPULSE_SAMPLES, generator=draws, dtype=torch.float64)
    n_fft = n_samples + IMPULSE_SAMPLES
    expected = torch.fft.irfft(torch.fft.rfft(samples, n_fft) * torch.fft.rfft(impulses, n_fft), n_fft)
    torch.testing.assert_close(convolve(samples, impulses), expected[:, :n_samples], rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_length_loudness_and_padding_stay(dtype):
    samples, lens = utterances([4000, 40_000, 1200], dtype)
    wet = Reverb(1.0, (0.2, 0.6), None)(samples, lens, torch.tensor(KEYS[:3]))
    assert wet.dtype == dtype and wet.shape == samples.shape
    torch.testing.assert_close(wet.norm(dim=1), samples.norm(dim=1), rtol=1e-5, atol=0)
    assert all((row[length:] == 0).all() for row, length in zip(wet, lens, strict=True))
    for dry, row, length in zip(samples, wet, lens, strict=True):  # reverberant, but from the same moment on
        lags = torch.fft.irfft(torch.fft.rfft(row[:length], 1 << 17) * torch.fft.rfft(dry[:length], 1 << 17).conj())
        assert 0.05 < lags[0] / dry.square().sum() < 0.999


def test_neighbours_padding_and_order_do_not_matter():
    lens = [4000, 20_000, 2500, 17_000, 100]
    samples, sample_lens = utterances(lens)
    keys = torch.tensor(KEYS[:5])
    reverb = Reverb(0.7, (0.1, 0.6), None)
    together = reverb(samples, sample_lens, keys)
    changed = (together != samples).any(dim=1)
    assert changed.any() and not changed.all()
    for row, length in enumerate(lens):
        found = reverb(samples[row : row + 1, :length], sample_lens[row : row + 1], keys[row : row + 1])
        torch.testing.assert_close(found[0], together[row, :length], rtol=0, atol=1e-6)
    order = [3, 1, 4, 0, 2]
    padded = torch.nn.functional.pad(samples, (0, 30_000))[order]
    found = reverb(padded, sample_lens[order], keys[order])
    torch.testing.assert_close(found[:, : max(lens)], together[order], rtol=0, atol=1e-6)


def test_a_share_of_the_utterances_is_put_in_a_room():
    samples, lens = utterances([50] * 40)
    wet = Reverb(0.5, (0.1, 0.6), None)(samples, lens, torch.tensor(KEYS))
    assert 8 < (wet != samples).any(dim=1).sum() < 32
    assert Reverb(0.0, (0.1, 0.6), None)(samples, lens, torch.tensor(KEYS)).equal(samples)


def test_silence_stays_silent():
    silence = torch.zeros(1, 500)
    assert Reverb(1.0, (0.1, 0.6), None)(silence, torch.tensor([500]), torch.tensor(KEYS[:1])).equal(silence)


def test_late_noise_has_the_power_of_images():
    room, source, microphone = metres([4, 3, 2.5]), metres([1, 1, 1]), metres([2, 2, 2])
    rt60_s = torch.tensor([0.5], dtype=torch.float64)
    reflection = wall_reflection(room, rt60_s)
    images = naive_images((4, 3, 2.5), (1, 1, 1), (2, 2, 2), float(reflection), 1024)
    # the sum of squares of all images between 32 and 64 ms, against the formula at the start of the tail, led back
    power = sum(strength**2 for delay, strength in images if 512 <= delay < 1024)
    draws = torch.rand(1, 4000, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    late = late_impulses(room, source, microphone, rt60_s, draws)[0]
    expected = late[:512].square().sum() * 10 ** (6 * 512 / RATE_HZ / 0.5)
    assert abs(10 * math.log10(power / expected)) < 1.5


def test_recorded_responses_are_used_from_their_peak(tmp_path):
    delayed = np.zeros(800)
    delayed[300], delayed[420] = -0.5, 0.25
    soundfile.write(tmp_path / "echo.wav", delayed, RATE_HZ, subtype="FLOAT")
    reverb = Reverb(1.0, (0.1, 0.6), tmp_path)
    samples, lens = utterances([5000])
    wet = reverb(samples, lens, torch.tensor(KEYS[:1]))[0]
    expected = samples[0].clone()
    expected[120:] -= 0.5 * samples[0, :-120]
    torch.testing.assert_close(wet, expected * samples[0].norm() / expected.norm(), rtol=0, atol=1e-6)


def test_each_recorded_response_is_drawn(tmp_path):
    for number in range(3):
        response = np.zeros(100)
        response[0], response[number + 1] = 1.0, 0.5
        soundfile.write(tmp_path / f"{number}.wav", response, RATE_HZ, subtype="FLOAT")
    impulses = Reverb(1.0, (0.1, 0.6), tmp_path).impulses(KEYS, CPU)
    assert impulses.shape == (len(KEYS), IMPULSE_SAMPLES)
    assert set(impulses[:, 1:].argmax(dim=1).tolist()) == {0, 1, 2}


def test_bad_folders_are_an_error(tmp_path):
    with pytest.raises(NoiseError, match=r"augment.reverb.folder = .*no recording in it"):
        Reverb(1.0, (0.1, 0.6), tmp_path)
    soundfile.write(tmp_path / "silent.wav", np.zeros(100), RATE_HZ)
    with pytest.raises(AudioError, match=r"silent\.wav: silent, so no impulse response"):
        Reverb(1.0, (0.1, 0.6), tmp_path)
