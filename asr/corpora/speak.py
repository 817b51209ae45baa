"""Speak planned utterances with eSpeak NG and write them as audio files; run as a process of its own.

`python -m asr.corpora.speak` reads JSON lines from standard input, as `format_jobs` makes them. What eSpeak NG says
depends on what its process said before, so `speak_apart` gives each call a fresh one: the audio is then a function of
the jobs alone.
"""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

from asr.audio.read import RATE_HZ, Samples
from asr.corpora.candidate import CorpusError
from asr.corpora.espeak import Delivery, Espeak
from asr.corpora.noise import NoiseKind, make_noise

Job = tuple[Path, "SpokenString"]
"""A file to write, and what to say in it."""

ROOM_RT60_S = (0.1, 0.6)
"""How live rooms are: time in which sound falls by 60 dB."""


@dataclass(frozen=True, slots=True)
class SpokenString:
    """Everything that determines one utterance's audio.

    Attributes:
        id: name of the utterance.
        text: what is said.
        spoken: the same with a comma where the speaker pauses.
        voice: an eSpeak NG voice.
        delivery: rate, pitch and pauses.
        level_db: root mean square of the speech, dB of full scale.
        noise: kind of the noise.
        snr_db: speech over noise.
        lead_s: what goes before the speech, in seconds.
        trail_s: what comes after it, in seconds.
        seed: of the noise and the room.
        in_room: whether it is said in a room, drawn by the seed, rather than close to the microphone.
    """

    id: str
    text: str
    spoken: str
    voice: str
    delivery: Delivery
    level_db: float
    noise: NoiseKind
    snr_db: float
    lead_s: float
    trail_s: float
    seed: int
    in_room: bool = False


def with_pauses(words: list[str], share: float, draws: random.Random) -> str:
    """What eSpeak NG is to say: the words, with a comma where the speaker pauses, which is at a share of the gaps."""
    marks = [", " if draws.random() < share else " " for _ in words[1:]]
    return "".join(word + mark for word, mark in zip(words, [*marks, ""], strict=True))


def format_jobs(jobs: Iterable[Job]) -> str:
    """Write jobs as JSON lines, for another process."""
    return "".join(json.dumps({"path": str(path), **asdict(string)}) + "\n" for path, string in jobs)


def parse_jobs(text: str) -> list[Job]:
    """Read what `format_jobs` wrote."""
    jobs = []
    for line in text.splitlines():
        row = json.loads(line)
        path, delivery = Path(row.pop("path")), Delivery(**row.pop("delivery"))
        jobs.append((path, SpokenString(delivery=delivery, **row)))
    return jobs


def speak_apart(jobs: list[Job]) -> int:
    """Do jobs in a fresh process, and say how many they were.

    A plain subprocess, since `multiprocessing` would run the caller's script again.

    Raises:
        CorpusError: it failed.
    """
    package = Path(__file__).parents[2]
    command = [sys.executable, "-m", "asr.corpora.speak"]
    found = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command, input=format_jobs(jobs), capture_output=True, encoding="utf-8", env={**os.environ, "PYTHONPATH": found}
    )
    if done.returncode != 0:
        reason = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
        raise CorpusError(f"cannot speak {jobs[0][1].id} or one of the next {len(jobs) - 1} utterances: {reason}")
    return len(jobs)


def write_strings(jobs: Iterable[Job]) -> None:
    """Speak utterances and write them as 16-bit FLAC at 16 kHz.

    Args:
        jobs: what to write where.

    Raises:
        CorpusError: eSpeak NG cannot be used.
    """
    espeak = Espeak()
    for path, string in jobs:
        speech = espeak.say(string.spoken, string.voice, string.delivery)
        samples = _mix(soxr.resample(speech, espeak.rate_hz, RATE_HZ, "HQ"), string)
        sf.write(path, samples, RATE_HZ, format="FLAC", subtype="PCM_16")


def _mix(speech: Samples, string: SpokenString) -> Samples:
    """Bring speech (N,) to its level, put silence around it, a room, and noise over it."""
    edges = (round(string.lead_s * RATE_HZ), round(string.trail_s * RATE_HZ))
    level = 10 ** (string.level_db / 20)
    samples = np.pad(speech * (level / np.sqrt(np.mean(speech**2))), edges)
    if string.in_room:
        samples = _in_room(samples, string.seed)
    noise = make_noise(string.noise, len(samples), RATE_HZ, string.seed)
    samples = samples + noise * (level * 10 ** (-string.snr_db / 20))
    mixed: Samples = (samples * min(1.0, 0.98 / np.abs(samples).max())).astype(np.float32)
    return mixed


def _in_room(samples: Samples, seed: int) -> Samples:
    import torch  # takes seconds to load, which strings without rooms need not wait for

    from asr.audio.reverb import Reverb

    place = Reverb(1.0, ROOM_RT60_S, None)
    dry = torch.from_numpy(samples.astype(np.float32))[None]
    wet: Samples = place(dry, torch.tensor([len(samples)]), torch.tensor([seed]))[0].numpy()
    return wet


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # whoever started this may hold signals back; here they may end it
    try:
        write_strings(parse_jobs(sys.stdin.read()))
    except (CorpusError, OSError) as error:
        sys.exit(str(error))
