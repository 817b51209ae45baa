"""What `asr doctor` looks at. A check never raises: what breaks becomes its finding, with advice."""

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

MIN_FREE_GIB = 5.0
AUDIO_FORMATS = {"WAV", "FLAC", "OGG", "MP3"}


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        found: what was found.
        fine: False if something will not work.
        advice: what to do, empty if nothing.
    """

    name: str
    found: str
    fine: bool = True
    advice: str = ""


def run_checks() -> list[Check]:
    """Looks at everything, quickest first."""
    looks: dict[str, Callable[[], Check]] = {
        "asr": _package,
        "python": _python,
        "torch": _torch_pair,
        "device": _device,
        "threads": _threads,
        "audio": _audio,
        "espeak": _espeak,
        "disk": _disk,
    }
    return [_look(name, look) for name, look in looks.items()]


def _look(name: str, look: Callable[[], Check]) -> Check:
    """Runs one check; an exception is a finding, too."""
    try:
        return look()
    except (ImportError, OSError, RuntimeError, PackageNotFoundError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        return Check(name, reason, False, "reinstall into a fresh environment: pip install asr")


def _package() -> Check:
    names = ("numpy", "librosa", "sentencepiece", "jiwer", "pydantic", "safetensors")
    return Check("asr", f"{version('asr')}; " + ", ".join(f"{name} {version(name)}" for name in names))


def _python() -> Check:
    fine = sys.version_info >= (3, 11)
    return Check("python", f"{platform.python_version()} on {platform.platform()}", fine, "" if fine else "needs 3.11")


def _torch_pair() -> Check:
    """Torchaudio is compiled against one torch: 2.11.1 does not load with 2.11.0."""
    torch, torchaudio = version("torch"), version("torchaudio")
    advice = "install the pair that goes together: pip install torch==2.11.0 torchaudio==2.11.0"
    try:
        import_module("torchaudio")  # a wrong pair often shows here only
    except OSError as error:
        return Check("torch", f"torch {torch}, torchaudio {torchaudio}: {error}", False, advice)
    fine = torch.split("+")[0] == torchaudio.split("+")[0]
    return Check("torch", f"torch {torch}, torchaudio {torchaudio}", fine, "" if fine else advice)


def _device() -> Check:
    import torch

    if not torch.cuda.is_available():
        return Check("device", "cpu", advice="torch sees no GPU; small recipes train on a CPU")
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    free, total = torch.cuda.mem_get_info()
    return Check("device", f"cuda: {', '.join(names)}; {free / 2**30:.1f} of {total / 2**30:.1f} GiB free")


def _threads() -> Check:
    import torch

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    n_threads = torch.get_num_threads()
    advice = f"more threads than cores slow torch down: set OMP_NUM_THREADS={usable}" if n_threads > usable else ""
    return Check("threads", f"torch uses {n_threads}, {usable} cores usable", advice=advice)


def _audio() -> Check:
    import soundfile

    known = set(soundfile.available_formats())
    absent = sorted(AUDIO_FORMATS - known)
    advice = f"cannot read {', '.join(absent)}: pip install --upgrade soundfile" if absent else ""
    found = f"{soundfile.__libsndfile_version__}: {', '.join(sorted(AUDIO_FORMATS & known))} and {len(known)} in all"
    return Check("audio", found, not absent, advice)


def _espeak() -> Check:
    import espeakng_loader

    library, data = Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())
    fine = library.is_file() and data.is_dir()
    found = f"espeakng-loader {version('espeakng-loader')}"
    return Check("espeak", found, fine, "" if fine else "reinstall espeakng-loader; only `asr prepare digits` needs it")


def _disk() -> Check:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    advice = "" if free >= MIN_FREE_GIB else f"little space here; training wants about {MIN_FREE_GIB:.0f} GiB"
    return Check("disk", f"{free:.1f} GiB free in {Path.cwd()}", advice=advice)
