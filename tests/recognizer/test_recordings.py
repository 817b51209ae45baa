"""Files, folders, patterns, standard input and channels become recordings."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.audio.read import AudioError
from asr.recognizer.recordings import Recording, find_recordings, total_s

NOTHING = io.BytesIO()


def samples_of(recording: Recording) -> np.ndarray:
    return np.concatenate(list(recording.blocks()))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.wav", "a.flac", "deep/er/c.OGG"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, np.zeros(1600), 16000)
    (tmp_path / "notes.txt").write_text("no audio")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_a_folder_stands_for_its_recordings(tree: Path) -> None:
    found = find_recordings([tree], "mix", NOTHING)
    assert [each.file for each in found] == [tree / "a.flac", tree / "b.wav", tree / "deep/er/c.OGG"]
    assert total_s(found) == pytest.approx(0.3)


def test_videos_of_a_folder_are_found_and_tell_what_they_need(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "talk.M4A").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    monkeypatch.setitem(sys.modules, "av", None)  # as if it were not installed
    (*others, talk) = find_recordings([tree], "mix", NOTHING)
    assert (len(others), talk.name) == (3, "talk.M4A")
    with pytest.raises(AudioError, match=r"talk.M4A: .*mp4 needs PyAV: pip install 'asr\[av\]'"):
        samples_of(talk)


def test_a_pattern(tree: Path) -> None:
    assert [each.name for each in find_recordings([tree / "**/*.[wO]*"], "mix", NOTHING)] == ["b.wav", "c.OGG"]
    soundfile.write(tree / "take [1].wav", np.zeros(1600), 16000)  # a name, though it looks like a pattern
    assert [each.name for each in find_recordings([tree / "take [1].wav"], "mix", NOTHING)] == ["take [1].wav"]


@pytest.mark.parametrize(("name", "message"), [("empty", "no recordings"), ("*.m4a", "no file"), ("x.wav", "no such")])
def test_what_is_not_there_is_told_when_its_turn_comes(tree: Path, name: str, message: str) -> None:
    first, refused = find_recordings([tree / "a.flac", tree / name], "mix", NOTHING)
    assert len(samples_of(first)) == 1600
    with pytest.raises(AudioError, match=message):
        samples_of(refused)
    assert total_s([refused]) == 0.0


def test_standard_input(tmp_path: Path) -> None:
    sound = io.BytesIO()
    soundfile.write(sound, np.full(3200, 0.25), 16000, format="FLAC")
    sound.seek(0)
    (recording,) = find_recordings([Path("-")], "mix", sound)
    assert recording.name == "stdin"
    np.testing.assert_allclose(samples_of(recording), np.full(3200, 0.25))


def test_channels(tmp_path: Path) -> None:
    both = np.stack([np.full(1600, 0.5), np.full(1600, -0.25)], axis=1)
    soundfile.write(tmp_path / "call.wav", both, 16000)
    soundfile.write(tmp_path / "mono.wav", both[:, 0], 16000)
    inputs = [tmp_path / "call.wav", tmp_path / "mono.wav"]
    mixed, mono = find_recordings(inputs, "mix", NOTHING)
    assert (samples_of(mixed)[0], samples_of(mono)[0]) == (0.125, 0.5)
    second, missing = find_recordings(inputs, 2, NOTHING)
    assert samples_of(second)[0] == -0.25
    with pytest.raises(AudioError, match="no channel 2, it has 1"):
        samples_of(missing)
    split = find_recordings([*inputs, tmp_path / "gone.wav"], "split", NOTHING)
    assert [each.name for each in split] == ["call-channel1.wav", "call-channel2.wav", "mono.wav", "gone.wav"]
    assert [samples_of(each)[0] for each in split[:3]] == [0.5, -0.25, 0.5]
