from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from asr.audio.read import RATE_HZ, read_audio
from asr.corpora import digits
from asr.corpora.candidate import CorpusError
from asr.corpora.digits import N_UTTERANCES, plan_strings
from asr.corpora.fsdd import DIGITS
from asr.corpora.manifest import read_manifest
from asr.corpora.noise import make_noise
from asr.corpora.prepare import prepare
from asr.corpora.speak import format_jobs, parse_jobs
from asr.corpora.voices import ACCENTS, list_voices


def test_splits_share_neither_a_voice_variant_nor_a_string() -> None:
    plan = plan_strings(N_UTTERANCES)
    for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
        for feature in (lambda string: string.text, lambda string: string.voice.split("+")[1]):
            assert not {feature(string) for string in plan[one]} & {feature(string) for string in plan[other]}


def test_train_hears_every_accent_and_many_voices() -> None:
    voices = list_voices("train")
    assert len(voices) == len(set(voices)) >= 60
    assert {voice.split("+")[0] for voice in voices} == set(ACCENTS)
    assert {voice.split("+")[0] for voice in list_voices("test")} == set(ACCENTS)


def test_strings_are_three_to_seven_digits_evenly_used() -> None:
    strings = plan_strings(N_UTTERANCES)["train"]
    assert {len(string.text.split()) for string in strings} == set(range(3, 8))
    counts = Counter(word for string in strings for word in string.text.split())
    assert set(counts) == set(DIGITS)
    assert max(counts.values()) < 1.2 * min(counts.values())
    assert all(string.spoken.replace(",", "") == string.text for string in strings)


def test_the_plan_is_a_function_of_the_counts() -> None:
    assert plan_strings(N_UTTERANCES) == plan_strings(N_UTTERANCES)


def test_jobs_survive_the_way_to_another_process(tmp_path: Path) -> None:
    jobs = [(tmp_path / f"{string.id}.flac", string) for string in plan_strings({"test": 5})["test"]]
    assert parse_jobs(format_jobs(jobs)) == jobs


def test_a_small_corpus_is_prepared_alike_whatever_came_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "N_UTTERANCES", {"test": 8, "dev": 6, "train": 10})
    monkeypatch.setattr(digits, "_CHUNK", 12)
    result = prepare("digits", None, tmp_path / "1")
    monkeypatch.setattr(digits, "_N_PROCESSES", 1)
    prepare("digits", None, tmp_path / "2")
    assert [(split.split, split.n_utterances) for split in result.splits] == [("train", 10), ("dev", 6), ("test", 8)]
    assert result.rejected.read_text().count("\n") == 1
    files = sorted(path.relative_to(tmp_path / "1") for path in (tmp_path / "1").rglob("*.*"))
    assert len(files) == 24 + 3 + 1
    for file in files:
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()
    for row in read_manifest(tmp_path / "1" / "test.jsonl"):
        n_digits = len(row.text.split())
        assert 0.25 * n_digits < row.duration_s < 1.0 * n_digits + 1.0
        samples = read_audio(row.audio)
        assert len(samples) == round(row.duration_s * RATE_HZ)
        assert -40 < 20 * np.log10(np.sqrt(np.mean(samples**2))) < -10


def test_a_voice_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "list_voices", lambda split: ["en-us+nobody"])
    with pytest.raises(CorpusError, match=r"eSpeak NG has no voice 'en-us\+nobody'"):
        prepare("digits", None, tmp_path)


@pytest.mark.parametrize("kind", ["white", "pink", "hum"])
def test_noise_has_unit_power_and_follows_its_seed(kind: str) -> None:
    noise = make_noise(kind, 32_000, 16_000, seed=1)  # type: ignore[arg-type]
    assert noise.dtype == np.float32
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(1.0, rel=1e-3)
    np.testing.assert_array_equal(noise, make_noise(kind, 32_000, 16_000, seed=1))  # type: ignore[arg-type]
    assert not np.array_equal(noise, make_noise(kind, 32_000, 16_000, seed=2))  # type: ignore[arg-type]


def test_noise_has_the_spectrum_of_its_kind() -> None:
    octaves = ((500, 1_000), (4_000, 8_000))

    def powers(kind: str) -> list[float]:
        spectrum = np.abs(np.fft.rfft(make_noise(kind, 160_000, 16_000, seed=3))) ** 2  # type: ignore[arg-type]
        return [float(spectrum[low * 10 : high * 10].sum() / spectrum.sum()) for low, high in octaves]

    low, high = powers("white")
    assert high / low == pytest.approx(8, rel=0.1)
    low, high = powers("pink")
    assert high / low == pytest.approx(1, rel=0.1)
    assert sum(powers("hum")) < 0.05
    assert not make_noise("none", 100, 16_000, seed=0).any()
