import numpy as np
import pytest
import soundfile
import torch

from asr.audio.draws import many_uniforms, uniforms
from asr.audio.noise import AddNoise, NoiseError, NoiseFolder, coloured_noise, gets_noise, mix
from asr.audio.read import AudioError
from asr.dataset.draws import draw_key

CPU = torch.device("cpu")
KEYS = torch.tensor([draw_key("noise test", n) for n in range(8)])


def utterances(lens, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    samples = torch.zeros(len(lens), max(lens), dtype=dtype)
    for row, length in enumerate(lens):
        samples[row, :length] = torch.randn(length, generator=generator, dtype=torch.float64).to(dtype) / 10
    return samples, torch.tensor(lens)


def nothing(samples):
    return samples.new_zeros(len(samples), 0)


def measured_snr_db(clean, noisy):
    return 10 * torch.log10(clean.double().square().sum() / (noisy - clean).double().square().sum())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 20.0])
def test_the_ratio_is_the_one_asked_for(snr_db, dtype):
    samples, lens = utterances([4000, 70_001, 1200], dtype)  # the second is longer than the noise's period
    noisy = AddNoise(1.0, (snr_db, snr_db), recorded=False)(samples, lens, KEYS[:3], nothing(samples))
    assert noisy.dtype == dtype
    for row, length in enumerate(lens):
        assert abs(measured_snr_db(samples[row, :length], noisy[row, :length]) - snr_db) < 0.1
        assert (noisy[row, length:] == 0).all()


def test_drawn_ratios_spread_over_their_range():
    keys = torch.tensor([draw_key("spread", n) for n in range(100)])
    samples, lens = utterances([800] * len(keys))
    noisy = AddNoise(1.0, (5.0, 25.0), recorded=False)(samples, lens, keys, nothing(samples))
    found = torch.stack([measured_snr_db(clean, dirty) for clean, dirty in zip(samples, noisy, strict=True)])
    assert 4.9 < found.min() < 7 and 23 < found.max() < 25.1


def test_a_share_of_the_utterances_gets_noise():
    keys = torch.tensor([draw_key("share", n) for n in range(400)])
    samples, lens = utterances([20] * len(keys))
    noisy = AddNoise(0.3, (5.0, 25.0), recorded=False)(samples, lens, keys, nothing(samples))
    changed = (noisy != samples).any(dim=1)
    assert 0.22 < changed.double().mean() < 0.38
    assert changed.tolist() == [gets_noise(key, 0.3) for key in keys.tolist()]
    assert AddNoise(0.0, (5.0, 25.0), recorded=False)(samples, lens, keys, nothing(samples)).equal(samples)


def test_neighbours_padding_and_order_do_not_matter():
    lens = [4000, 9000, 2500, 7000, 100]
    samples, sample_lens = utterances(lens)
    add = AddNoise(0.7, (0.0, 20.0), recorded=False)
    together = add(samples, sample_lens, KEYS[:5], nothing(samples))
    assert not together.equal(samples)
    for row, length in enumerate(lens):
        alone = samples[row : row + 1, :length]
        found = add(alone, sample_lens[row : row + 1], KEYS[row : row + 1], nothing(alone))
        torch.testing.assert_close(found[0], together[row, :length], rtol=0, atol=1e-6)
    order = [3, 1, 4, 0, 2]
    padded = torch.nn.functional.pad(samples, (0, 3000))[order]
    found = add(padded, sample_lens[order], KEYS[:5][order], nothing(padded))
    torch.testing.assert_close(found[:, : max(lens)], together[order], rtol=0, atol=1e-6)


def test_silence_stays_silent_and_silent_noise_adds_nothing():
    lens = torch.tensor([100, 100])
    silence = torch.zeros(2, 100)
    assert AddNoise(1.0, (5.0, 5.0), recorded=False)(silence, lens, KEYS[:2], nothing(silence)).equal(silence)
    samples, lens = utterances([100, 100])
    assert mix(samples, lens, torch.zeros_like(samples), torch.zeros(2, dtype=torch.float64)).equal(samples)


@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
def test_power_falls_with_the_slope(slope):
    noise = coloured_noise(KEYS.tolist(), [slope] * 8, 1 << 16, CPU).double()
    power = torch.fft.rfft(noise).abs().square().mean(dim=0)
    hz = torch.arange(len(power)) * 16000 / (1 << 16)
    bands = [(hz >= low) & (hz < 2 * low) for low in (62.5, 125, 250, 500, 1000, 2000, 4000)]
    octaves = torch.stack([10 * torch.log10(power[band].mean()) for band in bands])
    steps = octaves.diff()
    torch.testing.assert_close(steps, torch.full_like(steps, -3.0103 * slope), rtol=0, atol=0.2)
    assert power[hz < 19].max() < 1e-9 * power.max()


def test_noise_looks_random():
    noise = coloured_noise(KEYS.tolist(), [0.0] * 8, 1 << 16, CPU).double()
    scaled = noise / noise.std(dim=1, keepdim=True)
    assert (scaled.pow(4).mean(dim=1) - 3).abs().max() < 0.15  # as a normal distribution's
    assert (torch.corrcoef(scaled) - torch.eye(8)).abs().max() < 0.03
    assert (scaled[:, 1:] * scaled[:, :-1]).mean(dim=1).abs().max() < 0.03


def test_hashed_draws_are_even_and_independent():
    draws = many_uniforms(KEYS.tolist(), "test", 20_000, CPU)
    counts = torch.stack([torch.histc(row, 20, 0, 1) for row in draws])
    assert (counts - 1000).abs().max() < 6 * 1000**0.5
    assert (torch.corrcoef(draws) - torch.eye(8)).abs().max() < 0.04
    assert not many_uniforms(KEYS.tolist(), "other", 20_000, CPU).equal(draws)
    assert uniforms(5, "a", 3) == uniforms(5, "a", 3) != uniforms(5, "b", 3)


@pytest.fixture
def folder(tmp_path):
    """A long ramp, a short one at 8 kHz, and a text."""
    inner = tmp_path / "noise" / "b"
    inner.mkdir(parents=True)
    soundfile.write(tmp_path / "noise" / "long.wav", np.linspace(0.1, 0.9, 32_000), 16_000, subtype="FLOAT")
    soundfile.write(inner / "short.flac", 0.5 * np.sin(np.arange(2000)), 8_000)
    (inner / "LICENSE.txt").write_text("free")
    return tmp_path / "noise"


def test_a_folder_gives_stretches_of_its_recordings(folder):
    noises = NoiseFolder(folder, share=1.0)
    assert [path.name for path in noises.files] == ["short.flac", "long.wav"]
    ramps, starts = 0, set()
    for key in KEYS.tolist():
        found = noises.segment(key, 6000)
        assert found.shape == (6000,) and found.dtype == torch.float32 and found.equal(noises.segment(key, 6000))
        if (found > 0).all():  # the ramp: consecutive samples of one stretch
            torch.testing.assert_close(found.diff(), torch.full((5999,), 0.8 / 31_999), rtol=0, atol=1e-6)
            starts.add(float(found[0]))
            ramps += 1
        else:  # a quarter of a second at 16 kHz, repeated
            assert found[:2000].equal(found[4000:])
    assert 0 < ramps < len(KEYS) and len(starts) == ramps


def test_workers_decode_noise_only_for_those_that_get_it(folder):
    lens = [500, 900, 700, 300, 1000, 20, 30, 40]
    rows = NoiseFolder(folder, share=0.5).rows(KEYS.tolist(), lens)
    assert rows.shape == (8, 1000) and rows.dtype == torch.float32
    heard = [bool(row.any()) for row in rows]
    assert heard == [gets_noise(key, 0.5) for key in KEYS.tolist()] and 0 < sum(heard) < 8
    assert all((row[length:] == 0).all() for row, length in zip(rows, lens, strict=True))


def test_recorded_noise_is_what_is_added(folder):
    samples, lens = utterances([1000, 600])
    noise = NoiseFolder(folder, share=1.0).rows(KEYS[:2].tolist(), lens.tolist())
    noisy = AddNoise(1.0, (10.0, 10.0), recorded=True)(samples, lens, KEYS[:2], noise)
    for row, length in enumerate(lens):
        added = (noisy - samples)[row, :length]
        assert torch.nn.functional.cosine_similarity(added, noise[row, :length], dim=0) > 0.9999
        assert abs(measured_snr_db(samples[row, :length], noisy[row, :length]) - 10) < 0.1


def test_recordings_that_are_not_there_are_an_error(tmp_path, folder):
    with pytest.raises(NoiseError, match=r"augment.noise.folder = .*absent: no such folder"):
        NoiseFolder(tmp_path / "absent", 1.0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoiseError, match="no recording in it or below; expected files that end in"):
        NoiseFolder(tmp_path / "empty", 1.0)
    samples, lens = utterances([1000])
    with pytest.raises(NoiseError, match="1000 samples came with 0 of recorded noise"):
        AddNoise(1.0, (5.0, 5.0), recorded=True)(samples, lens, KEYS[:1], nothing(samples))


def test_a_broken_recording_is_named(tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"RIFF not really")
    with pytest.raises(AudioError, match=r"bad\.wav: cannot decode"):
        NoiseFolder(tmp_path, 1.0).segment(1, 100)
