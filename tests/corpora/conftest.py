from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

Speak = Callable[..., Path]


@pytest.fixture
def speak() -> Speak:
    """Writes a file of noise that passes for speech: `speak(path, duration_s=1.0, rate_hz=16_000)`."""

    def write(path: Path, duration_s: float = 1.0, rate_hz: int = 16_000) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = 0.1 * np.random.default_rng(0).normal(size=round(duration_s * rate_hz))
        formats = {".sph": "NIST", ".opus": "OGG"}
        subtype = "OPUS" if path.suffix == ".opus" else None
        sf.write(path, samples.clip(-1, 1), rate_hz, format=formats.get(path.suffix), subtype=subtype)
        return path

    return write
