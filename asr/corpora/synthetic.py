"""Synthetic speech to train on: sentences of an English text, spoken by eSpeak NG in many voices, rooms and noises.

SOURCE is a text, one sentence a line, such as `scripts/prepare_novels` writes. A sentence keeps its letters and
apostrophes; those with digits are passed over, since digits can be read in several ways. The only split is train: what
a synthesiser says is no test of anything.

Everything is a function of the text: sentence `n` is the same in 10 hours as in 20, and has the same bytes (on the same
machine and library versions). Utterances are written in folders of `CHUNK`; a folder is whole or absent, so a run that
was stopped goes on from the last one, and more hours later only add to what is there.
"""

import random
import re
import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from itertools import chain, count, islice
from pathlib import Path

import numpy as np
import soundfile as sf

from asr.corpora.candidate import Candidate, CorpusError, Progress, Splits
from asr.corpora.espeak import Delivery
from asr.corpora.manifest import whole_file
from asr.corpora.noise import NoiseKind
from asr.corpora.speak import SpokenString, speak_apart, with_pauses
from asr.corpora.voices import list_many_voices
from asr.text.sentences import read_sentences
from asr.text.spoken import spell_out, spoken

CHUNK = 100
"""Utterances that one process speaks, and that one folder holds."""

SHORTEST_S, LONGEST_S = 1.0, 15.0
"""What is shorter or longer once spoken is left out."""

_SEED = 1
_N_PROCESSES = 2
_N_WORDS = range(2, 46)  # of fewer or more no sentence has such a length
_PAUSE_SHARE = 0.06
_ROOM_SHARE = 0.3
_NOISE_SHARES: dict[NoiseKind, float] = {"none": 0.3, "white": 0.25, "pink": 0.35, "hum": 0.1}
_DIGIT = re.compile(r"\d")


def load_synthetic(source: Path | None, out: Path, progress: Progress, hours: float) -> Splits:
    """Speak so many sentences that they take some hours, and list them.

    Args:
        source: a text, one sentence a line; `.gz` and `.xz` are decompressed.
        out: the folder to prepare; audio is written to `out/audio`.
        progress: called with utterances spoken and, about, utterances in all.
        hours: how much to speak, to within an utterance.

    Returns:
        Split train.

    Raises:
        CorpusError: no text or no sentence in it, `out` holds speech of another text, or eSpeak NG cannot be used.
        TextError, OSError: the text cannot be read.
    """
    if source is None:
        raise CorpusError("synthetic: needs SOURCE, a text with one sentence a line")
    sentences = _sentences(source)
    _claim(out / "audio", sentences)
    train: list[Candidate] = []
    spoken_s, wanted_s = 0.0, 3600 * hours
    for path, string in _speak(sentences, out / "audio"):
        duration_s = sf.info(path).duration
        if SHORTEST_S <= duration_s <= LONGEST_S:
            train.append(Candidate(string.id, path, string.text, string.voice))
            spoken_s += duration_s
            progress(len(train), max(len(train), round(len(train) * wanted_s / spoken_s)))
            if spoken_s >= wanted_s:
                break
    return {"train": train}


def plan_strings(sentences: list[str]) -> Iterator[SpokenString]:
    """Draw what is said, and how, without end; every sentence is said once before one is said again."""
    voices = list_many_voices()
    orders = (np.random.RandomState(_SEED + turn).permutation(len(sentences)) for turn in count())
    for number, place in enumerate(chain.from_iterable(orders)):
        draws = random.Random(f"{_SEED} {number}")
        yield _draw_string(f"synthetic-{number:07d}", sentences[place], draws.choice(voices), draws)


def _draw_string(id_: str, sentence: str, voice: str, draws: random.Random) -> SpokenString:
    return SpokenString(
        id=id_,
        text=sentence,
        spoken=with_pauses(sentence.split(), _PAUSE_SHARE, draws),
        voice=voice,
        delivery=Delivery(
            words_per_minute=draws.randint(120, 210),
            pitch=draws.randint(20, 80),
            pitch_range=draws.randint(25, 85),
            word_gap=draws.choice((0, 0, 0, 1, 2)),
        ),
        level_db=draws.uniform(-32, -14),
        noise=draws.choices(list(_NOISE_SHARES), list(_NOISE_SHARES.values()))[0],
        snr_db=draws.uniform(8, 40),
        lead_s=draws.uniform(0.05, 0.5),
        trail_s=draws.uniform(0.05, 0.5),
        seed=draws.getrandbits(32),
        in_room=draws.random() < _ROOM_SHARE,
    )


def _sentences(source: Path) -> list[str]:
    """Those that may be said, as they will be written."""
    if not source.is_file():
        raise CorpusError(f"synthetic: {source} is no file; give a text with one sentence a line")
    lines = (spoken(spell_out(line)) for _, line in read_sentences(source) if not _DIGIT.search(line))
    sentences = [line for line in lines if line.count(" ") + 1 in _N_WORDS]
    if not sentences:
        raise CorpusError(
            f"synthetic: no line of {source} can be said: expected English sentences of {_N_WORDS[0]} to "
            f"{_N_WORDS[-1]} words, without digits, one a line"
        )
    return sentences


def _claim(audio: Path, sentences: list[str]) -> None:
    """Makes the folder this text's own, or checks that it is."""
    plan = sha256("\n".join(sentences).encode())
    plan.update(repr(list(islice(plan_strings(sentences), CHUNK))).encode())
    kept, mine = audio / "plan.txt", f"{plan.hexdigest()}\n".encode()
    if audio.exists() and (not kept.is_file() or kept.read_bytes() != mine):
        raise CorpusError(f"synthetic: {audio} holds other audio, or speech of another text; name another folder")
    audio.mkdir(parents=True, exist_ok=True)
    with whole_file(kept) as file:
        file.write(mine)


def _speak(sentences: list[str], audio: Path) -> Iterator[tuple[Path, SpokenString]]:
    """Utterances in order, without end, each with the file that holds it; some are spoken ahead."""
    strings = plan_strings(sentences)
    ahead: deque[tuple[Path, list[SpokenString], Future[None]]] = deque()
    with ThreadPoolExecutor(_N_PROCESSES) as pool:
        for number in count():
            folder, chunk = audio / f"{number:06d}", list(islice(strings, CHUNK))
            ahead.append((folder, chunk, pool.submit(_speak_chunk, folder, chunk)))
            if len(ahead) == _N_PROCESSES:
                folder, chunk, done = ahead.popleft()
                done.result()
                yield from ((_file(folder, string), string) for string in chunk)


def _speak_chunk(folder: Path, strings: list[SpokenString]) -> None:
    """Writes a folder of utterances, unless it is there; under its name it is whole."""
    if folder.is_dir():
        return
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    speak_apart([(_file(part, string), string) for string in strings])
    part.rename(folder)


def _file(folder: Path, string: SpokenString) -> Path:
    return folder / f"{string.id}.flac"
