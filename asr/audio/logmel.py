"""Log-mel features of samples, normalised per utterance: step 2 of the pipeline and the only feature path."""

from typing import Literal

import torch
from torch import Tensor, nn
from torchaudio.transforms import MelSpectrogram

from asr.audio.read import RATE_HZ

STD_FLOOR = 0.1  # a band that hardly moves (digital silence, the empty half of 8 kHz audio) is not blown up


class LogMel(nn.Module):
    """Turns samples into normalised log-mel frames; frames lie wholly inside the utterance.

    Mel filters follow Slaney's Auditory Toolbox (librosa's default), on the power spectrum of a Hann window.
    They are then shifted and scaled to zero mean and unit variance over the utterance's own frames, so neither padding
    nor neighbours in the batch can change a feature.

    Args:
        n_mels: Number of mel bins M.
        window_s: Window length in seconds.
        hop_s: Distance between frames in seconds.
        floor_db: Mel powers below it count as silence, in dB of a full-scale power of one.
        normalize: Over what mean and variance are taken: "bins", each mel bin by itself, which takes the microphone's
            and the room's colour away; or "level", all bins together, which leaves a lone word its spectrum.
    """

    def __init__(
        self,
        n_mels: int = 80,
        window_s: float = 0.025,
        hop_s: float = 0.010,
        floor_db: float = -80.0,
        normalize: Literal["bins", "level"] = "bins",
    ) -> None:
        super().__init__()
        self.by_bins = normalize == "bins"
        self.floor = 10.0 ** (floor_db / 10.0)
        self.n_hop = round(hop_s * RATE_HZ)
        n_window = round(window_s * RATE_HZ)
        self.n_fft = 1 << (n_window - 1).bit_length()
        self.mel = MelSpectrogram(
            RATE_HZ,
            n_fft=self.n_fft,
            win_length=n_window,
            hop_length=self.n_hop,
            n_mels=n_mels,
            center=False,
            norm="slaney",
            mel_scale="slaney",
        )
        for name, buffer in list(self.mel.named_buffers()):
            _make_temporary(self.mel, name, buffer)

    def frame_lens(self, sample_lens: Tensor) -> Tensor:
        """Counts whole frames: (B,) int64 samples -> (B,) int64 frames, at least one."""
        return ((sample_lens - self.n_fft) // self.n_hop + 1).clamp(min=1)

    def span_s(self, n_frames: int) -> tuple[float, float]:
        """Says what stretch of audio n frames stand for, in seconds: each for one hop around its window's middle."""
        start = (self.n_fft - self.n_hop) / 2
        return start / RATE_HZ, (start + n_frames * self.n_hop) / RATE_HZ

    def forward(self, samples: Tensor, sample_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Computes normalised features.

        Args:
            samples: (B, N) float32 in [-1, 1]; values beyond an utterance's length are ignored, NaN included.
            sample_lens: (B,) int64 true lengths.

        Returns:
            features (B, T, M) float32, zero beyond each length, and frame_lens (B,) int64.
        """
        positions = torch.arange(samples.shape[1], device=samples.device)
        samples = torch.where(positions < sample_lens[:, None], samples, 0.0)
        if samples.shape[1] < self.n_fft:
            samples = nn.functional.pad(samples, (0, self.n_fft - samples.shape[1]))
        log_mel = self.mel(samples).clamp(min=self.floor).log().transpose(1, 2)
        frame_lens = self.frame_lens(sample_lens)
        log_mel = log_mel[:, : int(frame_lens.max())]
        return normalize_over_time(log_mel, frame_lens, self.by_bins), frame_lens


def normalize_over_time(features: Tensor, frame_lens: Tensor, by_bins: bool = True) -> Tensor:
    """Gives each utterance zero mean and unit variance over its true frames, each bin by itself or all together.

    Sums are float64: in float32 their order, which padding changes, would show in the fifth digit.

    Args:
        features: (B, T, M).
        frame_lens: (B,) int64.
        by_bins: Whether each bin has a mean and a variance of its own.

    Returns:
        (B, T, M), zero beyond each length.
    """
    valid = (torch.arange(features.shape[1], device=features.device) < frame_lens[:, None])[..., None]
    dims = (1,) if by_bins else (1, 2)
    count = frame_lens[:, None, None].double() * (1 if by_bins else features.shape[2])
    mean = torch.where(valid, features, 0.0).sum(dims, keepdim=True, dtype=torch.float64) / count
    centred = torch.where(valid, features - mean, 0.0)
    std = (centred.square().sum(dims, keepdim=True) / count).sqrt()
    return (centred / std.clamp(min=STD_FLOOR)).to(features.dtype)


def _make_temporary(root: nn.Module, name: str, buffer: Tensor) -> None:
    """Keeps a constant that the recipe determines (window, filters) out of the saved weights."""
    *path, leaf = name.split(".")
    owner = root.get_submodule(".".join(path))
    owner.register_buffer(leaf, buffer, persistent=False)
