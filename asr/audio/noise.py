"""Noise for training utterances: recorded, or made with a spectrum that falls like 1 / f^a."""

from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from asr.audio.folder import list_recordings
from asr.audio.keyed import happens, keyed_generator
from asr.audio.read import RATE_HZ, AudioError, Samples, read_audio

LOWEST_HZ = 50.0
"""Below this, coloured noise does not grow: power that nobody hears must not count in the SNR."""

STEEPEST = 2.0
"""Largest exponent of coloured noise: 0 is white, 1 pink, 2 brown."""

_BLOCK = 1 << 14


class NoiseFolder:
    """Recorded noise: any folder of recordings, such as MUSAN.

    Args:
        folder: Searched recursively.
        share: Probability that an utterance gets noise, as in `Noise`.

    Raises:
        AudioError: No such folder, or no recording in it.
    """

    def __init__(self, folder: Path, share: float) -> None:
        self.files = list_recordings(folder, "augment.noise.folder")
        self.share = share

    def segment(self, key: int, n_samples: int) -> Samples:
        """Reads what the utterance with this key hears besides: a stretch of a recording, both drawn evenly.

        Args:
            key: Of the utterance's draws.
            n_samples: How much; a shorter recording is repeated.

        Returns:
            (n_samples,) float32, or (0,) if this utterance gets no noise.

        Raises:
            AudioError: The recording cannot be decoded; the message names it.
        """
        if not happens(key, "noise", self.share):
            return np.zeros(0, np.float32)
        which, where = torch.rand(2, generator=keyed_generator(key, "noise recording"), dtype=torch.float64).tolist()
        path = self.files[int(which * len(self.files))]
        spare_s = _duration_s(path) - n_samples / RATE_HZ
        if spare_s <= 0:
            recording = read_audio(path)
            return np.resize(np.roll(recording, -int(where * len(recording))), n_samples)
        return np.resize(read_audio(path, start_s=where * spare_s, duration_s=n_samples / RATE_HZ), n_samples)


class Noise:
    """Adds noise at a drawn signal-to-noise ratio.

    The ratio is that of mean powers over the whole utterance. Silence stays silence, and a silent recording adds none.

    Args:
        share: Probability that an utterance gets noise.
        snr_db: Lowest and highest signal-to-noise ratio, drawn evenly between.
        is_recorded: Whether the noise comes with the batch (`NoiseFolder`) or is made here.
    """

    def __init__(self, share: float, snr_db: tuple[float, float], is_recorded: bool) -> None:
        self.share = share
        self.snr_db = snr_db
        self.is_recorded = is_recorded

    def __call__(self, samples: Tensor, sample_lens: Tensor, keys: Tensor, recorded: Tensor) -> Tensor:
        """Adds noise to some utterances.

        Args:
            samples: (B, N), zero beyond each length.
            sample_lens: (B,) int64.
            keys: (B,) int64; an utterance's noise depends on its own key and length alone.
            recorded: (B, N') from `NoiseFolder`, zero where nothing was read.

        Returns:
            (B, N), zero beyond each length.
        """
        rows = [row for row, key in enumerate(keys.tolist()) if happens(key, "noise", self.share)]
        if not rows:
            return samples
        chosen, speech = [int(key) for key in keys[rows].tolist()], samples[rows]
        lens = [int(length) for length in sample_lens[rows].tolist()]
        noise = recorded[rows].to(samples) if self.is_recorded else coloured_noise(chosen, lens, speech)
        noise = torch.nn.functional.pad(noise, (0, speech.shape[1] - noise.shape[1]))
        inside = torch.arange(speech.shape[1], device=samples.device) < torch.tensor(lens, device=samples.device)[:, None]
        noise = noise * inside
        wanted = speech.square().sum(1) / 10 ** (torch.tensor([self.drawn_snr_db(key) for key in chosen]).to(speech) / 10)
        gain = (wanted / noise.square().sum(1).clamp(min=torch.finfo(noise.dtype).tiny)).sqrt()
        mixed = samples.clone()
        mixed[rows] = speech + gain[:, None] * noise
        return mixed

    def drawn_snr_db(self, key: int) -> float:
        """The signal-to-noise ratio for the utterance with this key."""
        low, high = self.snr_db
        return low + (high - low) * float(torch.rand(1, generator=keyed_generator(key, "snr"), dtype=torch.float64))


def coloured_noise(keys: list[int], lens: list[int], like: Tensor) -> Tensor:
    """Makes noise whose power falls like 1 / f^a, a drawn evenly from 0 to 2.

    The bits are a function of key, length and kind of device (GPUs have generators of their own).

    Args:
        keys: R keys.
        lens: Samples to make for each.
        like: Its dtype and device are taken.

    Returns:
        (R, longest) of no particular level, not zero beyond each length.
    """
    # A spectrum that fits the utterance's own length, not the batch's: neighbours must not change it.
    sizes = [_BLOCK * -(-length // _BLOCK) for length in lens]
    noise = like.new_zeros(len(keys), max(sizes))
    for size in sorted(set(sizes)):
        rows = [row for row, own in enumerate(sizes) if own == size]
        spectra = torch.stack([_white_spectrum(keys[row], size, like.device) for row in rows]).to(like.dtype)
        slopes = torch.tensor([_exponent(keys[row]) for row in rows]).to(like)
        frequencies = torch.fft.rfftfreq(size, 1 / RATE_HZ, device=like.device, dtype=like.dtype).clamp(min=LOWEST_HZ)
        shape = (frequencies / LOWEST_HZ) ** (-slopes[:, None] / 2)
        shape[:, 0] = 0.0
        noise[rows, :size] = torch.fft.irfft(torch.view_as_complex(spectra) * shape, size)
    return noise[:, : max(lens)]


def _white_spectrum(key: int, size: int, device: torch.device) -> Tensor:
    """(size // 2 + 1, 2) float32: real and imaginary parts."""
    return torch.randn(size // 2 + 1, 2, generator=keyed_generator(key, "noise samples", device), device=device)


def _exponent(key: int) -> float:
    return STEEPEST * float(torch.rand(1, generator=keyed_generator(key, "noise colour")))


def _duration_s(path: Path) -> float:
    try:
        return float(soundfile.info(path).duration)
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        raise AudioError(f"{path}: cannot decode ({error}); fetch the file again or take it out of the folder") from error
