"""Noise under training utterances: recordings, or noise whose power falls like 1 / f^a, made where it is used."""

import math
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from asr.audio.draws import many_uniforms, uniforms
from asr.audio.read import RATE_HZ, AudioError, read_audio

SUFFIXES = (".aif", ".aiff", ".au", ".flac", ".mp3", ".ogg", ".opus", ".sph", ".wav")
LOWEST_HZ = 20.0
"""Coloured noise has nothing below: power that nobody hears must not count in a signal-to-noise ratio."""

STEEPEST = 2.0
"""Largest exponent of coloured noise: 0 is white, 1 pink, 2 brown."""

SHORTEST_PERIOD, LONGEST_PERIOD = 1 << 12, 1 << 16
"""Coloured noise repeats itself after so many samples, 4 s at most: a spectrum per utterance is what it costs."""


class NoiseError(ValueError):
    """Recordings that are not where the recipe says; the message names the folder and the key."""


def gets_noise(key: int, share: float) -> bool:
    """Whether the utterance with this key gets noise; workers that decode and the device that mixes agree."""
    return uniforms(key, "gets noise", 1)[0] < share


class NoiseFolder:
    """Recorded noise: any folder of recordings, such as MUSAN's.

    Args:
        folder: Searched with all its subfolders.
        share: Probability that an utterance gets noise, as in `AddNoise`.

    Raises:
        NoiseError: No such folder, or no recording in it.
    """

    def __init__(self, folder: Path, share: float) -> None:
        self.files = list_recordings(folder, "augment.noise.folder")
        self.share = share

    def rows(self, keys: list[int], lens: list[int]) -> Tensor:
        """Reads noise for a batch.

        Args:
            keys: Of B utterances.
            lens: Their samples, once their speed has changed.

        Returns:
            (B, longest) float32, zero beyond each length and for utterances that get none.

        Raises:
            AudioError: A recording cannot be decoded; the message names it.
        """
        noise = torch.zeros(len(keys), max(lens))
        for row, (key, length) in enumerate(zip(keys, lens, strict=True)):
            if gets_noise(key, self.share):
                noise[row, :length] = self.segment(key, length)
        return noise

    def segment(self, key: int, n_samples: int) -> Tensor:
        """Reads (n_samples,) float32 from anywhere in any file, both drawn evenly; a shorter recording is repeated.

        Raises:
            AudioError: It cannot be decoded; the message names it.
        """
        which, where = uniforms(key, "noise recording", 2)
        path = self.files[int(which * len(self.files))]
        spare_s = _duration_s(path) - n_samples / RATE_HZ
        if spare_s > 0:
            found = read_audio(path, start_s=where * spare_s, duration_s=n_samples / RATE_HZ)
        else:
            whole = read_audio(path)
            found = np.roll(whole, -int(where * len(whole)))
        return torch.from_numpy(np.resize(found, n_samples))


class AddNoise:
    """Adds noise to some utterances, at a signal-to-noise ratio drawn for each.

    Args:
        share: Probability that an utterance gets noise.
        snr_db: Lowest and highest ratio, in dB, drawn evenly between.
        recorded: Whether noise comes with the batch (`NoiseFolder.rows`) or is made here.
    """

    def __init__(self, share: float, snr_db: tuple[float, float], recorded: bool) -> None:
        self.share = share
        self.snr_db = snr_db
        self.recorded = recorded

    def __call__(self, samples: Tensor, sample_lens: Tensor, keys: Tensor, noise: Tensor) -> Tensor:
        """Adds noise to samples (B, N) of sample_lens (B,).

        Args:
            samples: Zero beyond each length.
            sample_lens: int64.
            keys: (B,) int64; what an utterance gets depends on its own key and length alone.
            noise: (B, N) recordings; any shape if noise is made here.

        Returns:
            (B, N), zero beyond each length.

        Raises:
            NoiseError: Fewer samples of recorded noise than of speech.
        """
        if self.recorded and noise.shape[1] < samples.shape[1]:
            raise NoiseError(
                f"{samples.shape[1]} samples came with {noise.shape[1]} of recorded noise; batches must be collated "
                "with the NoiseFolder of augment.noise.folder"
            )
        rows = [row for row, key in enumerate(keys.tolist()) if gets_noise(key, self.share)]
        if not rows:
            return samples
        chosen, lens = keys[rows].tolist(), sample_lens[rows]
        found = noise[rows, : samples.shape[1]] if self.recorded else self._made(chosen, lens.tolist(), samples)
        low, high = self.snr_db
        ratios = [low + (high - low) * uniforms(key, "noise ratio", 1)[0] for key in chosen]
        result = samples.clone()
        result[rows] = mix(samples[rows], lens, found.to(samples), torch.tensor(ratios, dtype=torch.float64))
        return result

    def _made(self, keys: list[int], lens: list[int], samples: Tensor) -> Tensor:
        """Noise for (R,) utterances: (R, N), of a period that follows from each one's own length."""
        periods = [min(LONGEST_PERIOD, max(SHORTEST_PERIOD, 1 << (length - 1).bit_length())) for length in lens]
        noise = torch.zeros_like(samples[: len(keys)])
        for period in sorted(set(periods)):
            rows = [row for row, own in enumerate(periods) if own == period]
            slopes = [STEEPEST * uniforms(keys[row], "noise colour", 1)[0] for row in rows]
            once = coloured_noise([keys[row] for row in rows], slopes, period, samples.device).to(samples)
            noise[rows] = once.repeat(1, -(-noise.shape[1] // period))[:, : noise.shape[1]]
        return noise


def mix(samples: Tensor, sample_lens: Tensor, noise: Tensor, snr_db: Tensor) -> Tensor:
    """Adds noise at a given ratio of mean powers over the whole utterance.

    Args:
        samples: (B, N), zero beyond each length.
        sample_lens: (B,) int64.
        noise: (B, N) of any level; a silent one adds nothing, and nothing is added to silence.
        snr_db: (B,) signal-to-noise ratios.

    Returns:
        (B, N), zero beyond each length.
    """
    places = torch.arange(samples.shape[1], device=samples.device)
    noise = noise * (places < sample_lens.to(samples.device)[:, None])
    wanted = samples.square().sum(1) / 10 ** (snr_db.to(samples) / 10)
    gain = (wanted / noise.square().sum(1).clamp(min=torch.finfo(noise.dtype).tiny)).sqrt()
    return samples + gain[:, None] * noise


def coloured_noise(keys: list[int], slopes: list[float], n_samples: int, device: torch.device) -> Tensor:
    """Makes noise whose power falls like 1 / f^slope above `LOWEST_HZ`, by random phases: its samples are Gaussian.

    Args:
        keys: One per row.
        slopes: One per row: 0 is white, 1 pink, 2 brown.
        n_samples: Per row; it can be repeated without a seam.
        device: Where it is made; the draws are the same on all.

    Returns:
        (rows, n_samples) float32 of no particular level.
    """
    hz = torch.fft.rfftfreq(n_samples, 1 / RATE_HZ, device=device)
    phases = 2 * math.pi * many_uniforms(keys, "noise samples", len(hz), device).float()
    falls = torch.tensor(slopes, device=device)[:, None]
    heights = (hz.clamp(min=LOWEST_HZ) / LOWEST_HZ) ** (-falls / 2) * (hz >= LOWEST_HZ)
    return torch.fft.irfft(torch.polar(heights, phases), n_samples)


def list_recordings(folder: Path, key: str) -> list[Path]:
    """Lists the audio files in a folder and below it, in the order of their names.

    Args:
        folder: Where to look; files of other kinds (licences, annotations) are passed over.
        key: The recipe's key that names the folder, for messages.

    Raises:
        NoiseError: No such folder, or no recording in it.
    """
    if not folder.is_dir():
        raise NoiseError(f"{key} = {folder}: no such folder; give one that holds recordings, or null")
    found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not found:
        kinds = ", ".join(SUFFIXES)
        raise NoiseError(f"{key} = {folder}: no recording in it or below; expected files that end in {kinds}")
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _duration_s(path: Path) -> float:
    try:
        return float(soundfile.info(path).duration)
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        raise AudioError(
            f"{path}: cannot decode ({error}); fetch the file again or take it out of its folder"
        ) from error
