"""Augmentation of a batch on its device: speed, rooms, noise, masks. Every draw is keyed, none is global."""

import torch
from torch import Tensor
from torchaudio.functional import resample

from asr.audio.noise import AddNoise
from asr.audio.reverb import Reverb


def perturb_speed(samples: Tensor, sample_lens: Tensor, speeds: Tensor) -> tuple[Tensor, Tensor]:
    """Plays each utterance faster or slower, pitch included (Ko et al. 2015).

    Args:
        samples: (B, N) float32, zero beyond each length.
        sample_lens: (B,) int64.
        speeds: (B,) float; 1.1 plays 10 % faster and so shortens the utterance to N / 1.1.

    Returns:
        samples (B, N') and sample_lens (B,).
    """
    new_lens = perturbed_lens(sample_lens, speeds)
    result = samples.new_zeros(samples.shape[0], int(new_lens.max()))
    for speed in speeds.unique().tolist():
        rows = (speeds == speed).nonzero().squeeze(1)
        source = samples[rows, : int(sample_lens[rows].max())]
        played = source if speed == 1.0 else resample(source, round(100 * speed), 100)
        width = int(new_lens[rows].max())
        result[rows, :width] = torch.nn.functional.pad(played, (0, max(0, width - played.shape[1])))[:, :width]
    return result, new_lens


def perturbed_lens(sample_lens: Tensor, speeds: Tensor) -> Tensor:
    """Lengths after `perturb_speed`: (B,) int64."""
    percent = (speeds * 100).round().long()
    return (sample_lens * 100 + percent - 1) // percent


class Augmentation:
    """All that varies training utterances, in its order: speed, then a room, then noise, then masks.

    Args:
        reverb: Rooms to speak in; None for none.
        noise: What is heard besides; None for nothing.
        spec_augment: Masks over features; None for none.
    """

    def __init__(
        self,
        reverb: Reverb | None = None,
        noise: AddNoise | None = None,
        spec_augment: "SpecAugment | None" = None,
    ) -> None:
        self.reverb = reverb
        self.noise = noise
        self.spec_augment = spec_augment

    def on_samples(
        self, samples: Tensor, sample_lens: Tensor, speeds: Tensor, keys: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Varies samples (B, N) and sample_lens (B,); speeds, keys and noise as in a batch."""
        samples, sample_lens = perturb_speed(samples, sample_lens, speeds)
        if self.reverb:
            samples = self.reverb(samples, sample_lens, keys)
        if self.noise:
            samples = self.noise(samples, sample_lens, keys, noise)
        return samples, sample_lens

    def on_features(self, features: Tensor, frame_lens: Tensor, keys: Tensor) -> Tensor:
        """Varies features (B, T, M) of frame_lens (B,)."""
        return self.spec_augment(features, frame_lens, keys) if self.spec_augment else features


class SpecAugment:
    """Masks bands of mel bins and spans of time with the mean, zero (Park et al. 2019), adaptively (Park et al. 2020).

    The number of time masks and their largest width grow with the utterance ("SpecAugment on large scale datasets",
    section 3), so a two-second command and a thirty-second sentence lose the same share.

    Args:
        n_freq_masks: Bands per utterance.
        max_freq_bins: Largest width of a band, in mel bins.
        time_masks_per_s: Spans per second of audio.
        max_time_masks: Most spans in one utterance.
        max_time_share: Largest width of a span, as a share of the utterance.
        hop_s: Seconds per frame.
    """

    def __init__(
        self,
        n_freq_masks: int,
        max_freq_bins: int,
        time_masks_per_s: float,
        max_time_masks: int,
        max_time_share: float,
        hop_s: float,
    ) -> None:
        self.n_freq_masks = n_freq_masks
        self.max_freq_bins = max_freq_bins
        self.time_masks_per_s = time_masks_per_s
        self.max_time_masks = max_time_masks
        self.max_time_share = max_time_share
        self.hop_s = hop_s

    def __call__(self, features: Tensor, frame_lens: Tensor, keys: Tensor) -> Tensor:
        """Masks a batch.

        Args:
            features: (B, T, M).
            frame_lens: (B,) int64.
            keys: (B,) int64 random keys; equal keys on equal lengths give equal masks, in any batch.

        Returns:
            (B, T, M), a masked copy.
        """
        n_frames, n_mels = features.shape[1:]
        keep = torch.ones(features.shape, dtype=torch.bool)
        for row, (length, key) in enumerate(zip(frame_lens.tolist(), keys.tolist(), strict=True)):
            generator = torch.Generator().manual_seed(key)
            n_time = min(self.max_time_masks, round(self.time_masks_per_s * length * self.hop_s))
            max_width = int(self.max_time_share * length)
            for start, end in _spans(self.n_freq_masks, min(self.max_freq_bins, n_mels), n_mels, generator):
                keep[row, :, start:end] = False
            for start, end in _spans(n_time, max_width, min(length, n_frames), generator):
                keep[row, start:end] = False
        return features.masked_fill(~keep.to(features.device), 0.0)


def _spans(n_spans: int, max_width: int, size: int, generator: torch.Generator) -> list[tuple[int, int]]:
    """Draws spans of width 0..max_width anywhere in 0..size."""
    draws = torch.rand(n_spans, 2, generator=generator).tolist()
    widths = [int(width * (max_width + 1)) for width, _ in draws]
    starts = [int(start * (size - width + 1)) for width, (_, start) in zip(widths, draws, strict=True)]
    return [(start, start + width) for start, width in zip(starts, widths, strict=True)]
