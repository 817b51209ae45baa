from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from asr.audio.read import RATE_HZ, read_audio
from asr.corpora import synthetic
from asr.corpora.candidate import CorpusError
from asr.corpora.manifest import Utterance, read_manifest
from asr.corpora.prepare import prepare
from asr.corpora.speak import SpokenString, _mix
from asr.corpora.synthetic import plan_strings
from asr.corpora.voices import list_voices

SENTENCES = [f"the {place} house of mister {name}" for place in ("old", "new", "tall") for name in ("bell", "frost")]


def text_of(folder: Path, *lines: str) -> Path:
    path = folder / "text.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "CHUNK", 3)


def rows_of(out: Path) -> list[Utterance]:
    return read_manifest(out / "train.jsonl")


def test_every_sentence_is_said_once_before_one_is_said_again() -> None:
    strings = list(islice(plan_strings(SENTENCES), 3 * len(SENTENCES)))
    turns = [[string.text for string in strings[at : at + len(SENTENCES)]] for at in range(0, len(strings), 6)]
    assert all(sorted(turn) == sorted(SENTENCES) for turn in turns)
    assert turns[0] != turns[1]
    assert len({string.id for string in strings}) == len(strings)
    assert all(string.spoken.replace(",", "") == string.text for string in strings)


def test_many_voices_speak_but_none_that_the_digits_keep_for_scoring() -> None:
    strings = list(islice(plan_strings(SENTENCES), 1000))
    variants = {string.voice.split("+")[1] for string in strings}
    assert len({string.voice for string in strings}) > 200
    for split in ("dev", "test"):
        assert variants.isdisjoint(voice.split("+")[1] for voice in list_voices(split))
    assert 0.2 < np.mean([string.in_room for string in strings]) < 0.4


def test_text_is_spoken_within_an_utterance_of_the_hours_asked_for(small_chunks: None, tmp_path: Path) -> None:
    text = text_of(tmp_path, *SENTENCES, "He was born in 1832.", "alone", "Mrs. Dalloway — “said” she’d go!")
    result = prepare("synthetic", text, tmp_path / "out", hours=20 / 3600)
    assert [split.split for split in result.splits] == ["train"]
    rows = rows_of(tmp_path / "out")
    assert 20 <= sum(row.duration_s for row in rows) < 20 + rows[-1].duration_s
    assert {row.text for row in rows} <= {*SENTENCES, "missus dalloway said she'd go"}
    assert all(row.speaker.startswith("en") for row in rows)
    for row in rows:
        samples = read_audio(row.audio)
        assert len(samples) == round(row.duration_s * RATE_HZ)
        assert synthetic.SHORTEST_S <= row.duration_s <= synthetic.LONGEST_S
        assert -45 < 20 * np.log10(np.sqrt(np.mean(samples**2))) < -8


def test_more_hours_add_to_what_is_there_and_a_stopped_run_goes_on(small_chunks: None, tmp_path: Path) -> None:
    text = text_of(tmp_path, *SENTENCES)
    prepare("synthetic", text, tmp_path / "at once", hours=20 / 3600)
    prepare("synthetic", text, tmp_path / "out", hours=5 / 3600)
    first = sorted((tmp_path / "out" / "audio").glob("*/*.flac"))[0]
    made_s = first.stat().st_mtime_ns
    broken = tmp_path / "out" / "audio" / ".000009.part"
    broken.mkdir()
    (broken / "half.flac").write_bytes(b"fLaC")
    prepare("synthetic", text, tmp_path / "out", hours=20 / 3600)
    assert first.stat().st_mtime_ns == made_s
    whole, grown = rows_of(tmp_path / "at once"), rows_of(tmp_path / "out")
    assert [row.id for row in whole] == [row.id for row in grown]
    assert all(one.audio.read_bytes() == other.audio.read_bytes() for one, other in zip(whole, grown, strict=True))


def test_sentences_too_short_or_too_long_once_spoken_are_left_out(
    small_chunks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthetic, "LONGEST_S", 2.5)
    prepare("synthetic", text_of(tmp_path, *SENTENCES), tmp_path / "out", hours=6 / 3600)
    rows = rows_of(tmp_path / "out")
    files = sorted((tmp_path / "out" / "audio").glob("*/*.flac"))
    last = files.index(rows[-1].audio)
    kept = [file for file in files[: last + 1] if sf.info(file).duration <= 2.5]
    assert [row.audio for row in rows] == kept
    assert len(kept) < last + 1


def test_speech_of_another_text_is_not_mixed_with_it(small_chunks: None, tmp_path: Path) -> None:
    prepare("synthetic", text_of(tmp_path, *SENTENCES), tmp_path / "out", hours=2 / 3600)
    with pytest.raises(CorpusError, match="speech of another text; name another folder"):
        prepare("synthetic", text_of(tmp_path, *SENTENCES[1:]), tmp_path / "out", hours=2 / 3600)


@pytest.mark.parametrize(
    ("corpus", "hours", "words"),
    [
        ("synthetic", None, "synthetic: needs --hours"),
        ("fsdd", 2.0, "fsdd: has the hours it has, leave out --hours"),
    ],
)
def test_hours_are_for_synthetic_alone(corpus: str, hours: float | None, words: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=words):
        prepare(corpus, text_of(tmp_path, *SENTENCES), tmp_path / "out", hours=hours)
    assert not (tmp_path / "out").exists()


def test_a_text_that_nobody_can_say_is_refused(tmp_path: Path) -> None:
    for text, words in (
        (text_of(tmp_path, "1832", "!", "word"), "no line of .* can be said"),
        (tmp_path, "is no file"),
        (None, "needs SOURCE"),
    ):
        with pytest.raises(CorpusError, match=words):
            prepare("synthetic", text, tmp_path / "out", hours=1.0)
    assert not (tmp_path / "out").exists()


def test_a_room_keeps_length_and_level_and_is_a_function_of_the_seed() -> None:
    string = next(plan_strings(SENTENCES))
    tone = np.sin(np.arange(RATE_HZ, dtype=np.float32) / 7)

    def mixed(**changes: object) -> np.ndarray:
        values = {field: getattr(string, field) for field in SpokenString.__slots__}
        return _mix(tone, SpokenString(**{**values, "noise": "none", "level_db": -30.0, **changes}))

    dry, wet = mixed(in_room=False), mixed(in_room=True)
    assert len(wet) == len(dry)
    assert np.sqrt(np.mean(wet**2)) == pytest.approx(np.sqrt(np.mean(dry**2)), rel=1e-4)
    assert not np.allclose(wet, dry, atol=1e-3)
    np.testing.assert_array_equal(wet, mixed(in_room=True))
    assert not np.allclose(wet, mixed(in_room=True, seed=string.seed + 1), atol=1e-3)
