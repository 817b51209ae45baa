"""A tiny made language for tests: every letter is a vowel of its own, so that a small model learns it in seconds."""

from pathlib import Path

import numpy as np
import soundfile

from asr.corpora.manifest import Utterance, write_manifest

TONES_HZ = {"a": 300, "b": 600, "c": 1100, "d": 2000, " ": 0}
LETTER_S = 0.16
VOICE_HZ, WIDTH_HZ = 110, 200


def write_corpus(folder: Path, texts: list[str]) -> Path:
    """Speaks texts in tones into `folder` and returns the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows = []
    for number, text in enumerate(texts):
        samples = np.concatenate([speak(letter, rng) for letter in f" {text} "])
        path = folder / f"u{number}.wav"
        soundfile.write(path, samples, 16000)
        rows.append(Utterance(f"s-{number}", path, 0.0, len(samples) / 16000, text, "s", "en"))
    manifest = folder / "tones.jsonl"
    write_manifest(manifest, rows)
    return manifest


def speak(letter: str, rng: np.random.Generator) -> np.ndarray:
    """One letter: the overtones around a tone, as of a voice, which fade in and out, in a little noise."""
    n, middle_hz = int(LETTER_S * 16000), TONES_HZ[letter]
    time, overtones_hz = np.arange(n) / 16000, VOICE_HZ * np.arange(1, 30)
    parts = np.exp(-np.square((overtones_hz - middle_hz) / WIDTH_HZ)) * (middle_hz > 0)
    sound = 0.2 * np.sin(2 * np.pi * overtones_hz * time[:, None]) @ parts * np.sin(np.pi * np.arange(n) / n)
    return (sound + 0.003 * rng.standard_normal(n)).astype(np.float32)


def write_recipe(path: Path, manifest: Path, **training: object) -> Path:
    """A small recipe that trains on a manifest and validates on it too."""
    settings = {"n_steps": 12, "warmup_steps": 2, "validate_every": 6, "checkpoint_every": 4, "average_best": 2}
    lines = [f"  {key}: {value}" for key, value in (settings | training).items()]
    path.write_text(
        f"""
data: {{train: [{manifest}], dev: [{manifest}], batch_s: 8.0, n_buckets: 2, n_workers: 0}}
features: {{n_mels: 40}}
tokenizer: {{kind: char}}
augment: {{speeds: [0.9, 1.0, 1.1], spec_augment: {{max_freq_bins: 4}}}}
model:
  listener: {{kind: conv_blstm, n_channels: 8, d_hidden: 32, n_layers: 1, dropout: 0.1}}
  attention: {{kind: location, d_attention: 32, n_filters: 4, filter_width: 9}}
  speller: {{kind: lstm, d_embedding: 16, d_hidden: 32}}
objective: {{ctc_weight: 0.3, scheduled_sampling: 0.1}}
training:
"""
        + "\n".join(lines)
        + "\nsearch: {beam_size: 4}\n"
    )
    return path
