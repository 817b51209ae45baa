"""The embedded corpus: an hour of connected digits, synthesised with eSpeak NG, so that a first run needs no download.

An utterance is a string of 3–7 digits ("zero" … "nine") with its own speaking rate, pitch, pauses, level and additive
noise. Splits share neither a voice variant nor a string. Everything is a function of one seed: a second run, with any
number of processes, writes the same bytes (on the same machine and library versions).
"""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from asr.corpora.candidate import Candidate, Progress, Splits
from asr.corpora.espeak import Delivery
from asr.corpora.fsdd import DIGITS
from asr.corpora.noise import NoiseKind
from asr.corpora.speak import SpokenString, speak_apart, with_pauses
from asr.corpora.voices import list_voices

N_UTTERANCES = {"test": 180, "dev": 90, "train": 1120}
"""Utterances per split: about 8, 4 and 50 minutes."""

_SEED = 2
_N_PROCESSES = 2
_CHUNK = 100
_PAUSE_SHARE = 0.08
_NOISE_SHARES: dict[NoiseKind, float] = {"none": 0.15, "white": 0.3, "pink": 0.35, "hum": 0.2}


def load_digits(source: Path | None, out: Path, progress: Progress) -> Splits:
    """Synthesise the corpus, and list it.

    Args:
        source: unused, the corpus brings its own audio.
        out: the folder to prepare; audio is written to `out/audio/{split}`.
        progress: called with strings written and strings in all.

    Returns:
        Splits train, dev, test.

    Raises:
        CorpusError: eSpeak NG cannot be used.
    """
    plan = plan_strings(N_UTTERANCES)
    jobs: list[tuple[Path, SpokenString]] = []
    for split, strings in plan.items():
        folder = out / "audio" / split
        folder.mkdir(parents=True, exist_ok=True)
        jobs.extend((folder / f"{string.id}.flac", string) for string in strings)
    n_done = 0
    with ThreadPoolExecutor(_N_PROCESSES) as pool:
        for n_written in pool.map(speak_apart, [jobs[at : at + _CHUNK] for at in range(0, len(jobs), _CHUNK)]):
            n_done += n_written
            progress(n_done, len(jobs))
    splits: Splits = {split: [] for split in ("train", "dev", "test")}
    for path, string in jobs:
        splits[path.parent.name].append(Candidate(string.id, path, string.text, string.voice))
    return splits


def plan_strings(n_utterances: dict[str, int]) -> dict[str, list[SpokenString]]:
    """Draw what is said, and how, in every utterance.

    Args:
        n_utterances: how many per split; a string drawn for one split is not drawn for those after it.

    Returns:
        The utterances by split; a function of the counts and the fixed seed.
    """
    plan: dict[str, list[SpokenString]] = {}
    taken: set[str] = set()
    for split, n_here in n_utterances.items():
        random_ = random.Random(f"{_SEED} {split}")
        voices = list_voices(split)
        strings = [
            _draw_string(f"{split}-{number:04d}", voices[number % len(voices)], taken, random_)
            for number in range(n_here)
        ]
        taken.update(string.text for string in strings)
        plan[split] = strings
    return plan


def _draw_string(id_: str, voice: str, taken: set[str], random_: random.Random) -> SpokenString:
    words = _draw_words(random_)
    while " ".join(words) in taken:
        words = _draw_words(random_)
    return SpokenString(
        id=id_,
        text=" ".join(words),
        spoken=with_pauses(words, _PAUSE_SHARE, random_),
        voice=voice,
        delivery=Delivery(
            words_per_minute=random_.randint(110, 190),
            pitch=random_.randint(35, 65),
            pitch_range=random_.randint(25, 75),
            word_gap=random_.randint(0, 8),
        ),
        level_db=random_.uniform(-32, -16),
        noise=random_.choices(list(_NOISE_SHARES), list(_NOISE_SHARES.values()))[0],
        snr_db=random_.uniform(12, 40),
        lead_s=random_.uniform(0.05, 0.4),
        trail_s=random_.uniform(0.05, 0.4),
        seed=random_.getrandbits(32),
    )


def _draw_words(random_: random.Random) -> list[str]:
    return [random_.choice(DIGITS) for _ in range(random_.randint(3, 7))]
