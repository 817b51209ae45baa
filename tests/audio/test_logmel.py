"""Log-mel features against librosa, and masks of SpecAugment."""

import librosa
import numpy as np
import pytest
import torch

from asr.audio.augment import SpecAugment, perturb_speed
from asr.audio.logmel import LogMel, normalize_over_time


def speechlike(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(n) / 16000
    tone = sum(np.sin(2 * np.pi * f * time) / f for f in (150, 450, 1200, 3100)) * 60
    return (0.2 * tone * (1 + np.sin(2 * np.pi * 3 * time)) / 2 + 0.01 * rng.standard_normal(n)).astype(np.float32)


def test_matches_librosa() -> None:
    samples = speechlike(20000)
    front_end = LogMel()
    power = librosa.feature.melspectrogram(
        y=samples, sr=16000, n_fft=512, win_length=400, hop_length=160, n_mels=80, center=False
    )
    expected = np.log(np.maximum(power, 1e-8)).T
    found = front_end.mel(torch.from_numpy(samples)[None]).clamp(min=front_end.floor).log()[0].T
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-3)
    features, lens = front_end(torch.from_numpy(samples)[None], torch.tensor([20000]))
    assert features.shape == (1, len(expected), 80)
    assert lens.tolist() == [len(expected)]
    torch.testing.assert_close(
        features[0], normalize_over_time(torch.from_numpy(expected)[None], lens)[0], atol=0.02, rtol=0
    )


@pytest.mark.parametrize("click_s", [0.1, 0.5, 1.234])
def test_frames_stand_for_the_time_they_hear(click_s: float) -> None:
    samples = torch.zeros(1, 32000)
    samples[0, round(click_s * 16000)] = 1.0
    front_end = LogMel()
    power = front_end.mel(samples)[0].sum(0)
    start, end = front_end.span_s(len(power))
    hop_s = (end - start) / len(power)
    loudest = int(power.argmax())
    assert hop_s == pytest.approx(0.01)
    assert start + loudest * hop_s - 1e-4 <= click_s <= start + (loudest + 1) * hop_s + 1e-4


@pytest.mark.parametrize("normalize", ["bins", "level"])
@pytest.mark.parametrize("garbage", [float("nan"), 1.0])
def test_features_depend_on_the_utterance_alone(garbage: float, normalize: str) -> None:
    lens = torch.tensor([16000, 9999, 700, 30])
    samples = torch.full((4, 16000), garbage)
    for row, length in enumerate(lens.tolist()):
        samples[row, :length] = torch.from_numpy(speechlike(length, row))
    front_end = LogMel(normalize=normalize)
    features, frame_lens = front_end(samples, lens)
    for row, length in enumerate(lens.tolist()):
        alone, _ = front_end(samples[row : row + 1, :length], lens[row : row + 1])
        torch.testing.assert_close(features[row, : frame_lens[row]], alone[0], atol=1e-5, rtol=0)
        assert features[row, frame_lens[row] :].eq(0).all()


def test_normalised_bins_have_zero_mean_and_unit_variance() -> None:
    features, lens = LogMel()(torch.from_numpy(speechlike(16000))[None], torch.tensor([16000]))
    assert features.mean(1).abs().max() < 1e-4
    assert (features.std(1, correction=0) - 1).abs().max() < 1e-3


def test_a_level_is_made_even_and_the_spectrum_left() -> None:
    torch.manual_seed(0)
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16000) / 16000)
    samples = (torch.randn(2, 16000) / 10 + tone) * torch.tensor([[1e-2], [0.3]])
    lens = torch.tensor([16000, 9000])
    bins, _ = LogMel(n_mels=20)(samples, lens)
    level, frame_lens = LogMel(n_mels=20, normalize="level")(samples, lens)
    for row, spectrum, n in zip(level, bins, frame_lens.tolist(), strict=True):
        torch.testing.assert_close(row[:n].mean(), torch.tensor(0.0), atol=1e-5, rtol=0)
        torch.testing.assert_close(row[:n].var(unbiased=False), torch.tensor(1.0), atol=1e-4, rtol=0)
        assert row[:n].mean(0).max() > 2.0, "the tone is heard"
        assert row[n:].eq(0).all()
        assert spectrum[:n].mean(0).abs().max() < 1e-4
    louder, _ = LogMel(n_mels=20, normalize="level")(3 * samples[:1], lens[:1])
    torch.testing.assert_close(louder[0], level[0], atol=1e-3, rtol=0)


def test_silence_gives_finite_features() -> None:
    features, _ = LogMel()(torch.zeros(1, 16000), torch.tensor([16000]))
    assert features.abs().max() < 1e-3


def test_speed_changes_length_and_pitch() -> None:
    time = torch.arange(16000) / 16000
    samples = torch.sin(2 * torch.pi * 1000 * time).repeat(3, 1)
    played, lens = perturb_speed(samples, torch.tensor([16000] * 3), torch.tensor([0.9, 1.0, 1.1], dtype=torch.float64))
    assert lens.tolist() == [17778, 16000, 14546]
    assert played[1, :16000].equal(samples[1])
    for row, speed in enumerate((0.9, 1.0, 1.1)):
        spectrum = torch.fft.rfft(played[row, : lens[row]]).abs()
        assert abs(float(spectrum.argmax()) * 16000 / float(lens[row]) - 1000 * speed) < 2


def test_speed_does_not_depend_on_the_batch() -> None:
    samples = torch.zeros(2, 16000)
    samples[0] = torch.from_numpy(speechlike(16000))
    samples[1, :9000] = torch.from_numpy(speechlike(9000, 1))
    lens = torch.tensor([16000, 9000])
    speeds = torch.tensor([0.9, 0.9], dtype=torch.float64)
    together, new_lens = perturb_speed(samples, lens, speeds)
    alone, _ = perturb_speed(samples[1:, :9000], lens[1:], speeds[1:])
    torch.testing.assert_close(together[1, : new_lens[1]], alone[0], atol=1e-6, rtol=0)


def test_masks_are_keyed_and_grow_with_the_utterance() -> None:
    mask = SpecAugment(2, 10, 2.0, 20, 0.05, 0.01)
    features, lens, keys = torch.ones(2, 1000, 40), torch.tensor([1000, 200]), torch.tensor([5, 6])
    masked = mask(features, lens, keys)
    assert masked.equal(mask(features, lens, keys))
    alone = mask(features[1:, :200], lens[1:], keys[1:])
    assert alone[0].equal(masked[1, :200])
    n_masked_frames = (masked == 0).all(-1).sum(-1)
    assert 0 < n_masked_frames[0] <= 20 * 50
    assert n_masked_frames[1] <= 4 * 10
    assert features.eq(1).all()
