import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from asr.audio.read import AudioError
from asr.cli import transcribe as command
from asr.recognizer import formats
from asr.recognizer.transcript import Segment, Transcript


class FakeRecognizer:
    loaded: list[tuple]

    @classmethod
    def load(cls, folder, *, device, search):
        cls.loaded.append((folder, device, tuple(search)))
        return cls()


def transcribe_all(recognizer, recordings, *, longest_s, tell):
    """Hears the last recording first, as when the others are longer."""
    for index in reversed(range(len(recordings))):
        name = recordings[index].name
        tell(1.0, [name])
        if name.startswith("bad"):
            yield index, AudioError(f"{name}: no audio in it")
        elif name.startswith("bug"):
            raise ZeroDivisionError
        elif not isinstance(recordings[index].blocks, partial):  # refused
            yield index, pytest.raises(OSError, recordings[index].blocks).value
        else:
            stem = Path(name).stem
            yield index, Transcript(name, Path(name), 1.0, "en", (Segment(0.0, 1.0, f"this is {stem}", -1.0, 3),))


@pytest.fixture(autouse=True)
def recognizer(monkeypatch):
    FakeRecognizer.loaded = []
    module = ModuleType("asr.recognizer.recognizer")
    module.Recognizer = FakeRecognizer
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("asr.recognizer.long_form.transcribe_all", transcribe_all)


def test_formats_are_those_of_the_writers():
    assert command.Format == formats.Format
    assert set(get_args(command.Format)) == set(formats._WRITERS)


def test_text_goes_to_the_terminal(asr):
    outcome = asr("transcribe", "--model", "m", "a.wav", "b.wav", "--search", "beam_size=3", "--device", "cpu")
    assert outcome.out == "this is a\nthis is b\n"
    assert outcome.status == 0
    assert FakeRecognizer.loaded == [(Path("m"), "cpu", ("beam_size=3",))]


def test_phrases_are_a_change_to_the_search_section(asr):
    asr("transcribe", "--model", "m", "a.wav", "--search", "beam_size=3", "--phrases", "my: list.txt")
    assert FakeRecognizer.loaded[0][2] == ("beam_size=3", 'phrases="my: list.txt"')


@pytest.mark.parametrize("option", ["--out-dir", "--output-dir", "--output_dir", "-o"])
def test_one_file_each_and_none_replaces_another(asr, tmp_path, option):
    outcome = asr("transcribe", "--model", "m", "x/a.wav", "y/a.wav", "-f", "srt", option, tmp_path)
    assert outcome.status == 0
    written = [Path(line) for line in outcome.out.splitlines()]
    assert len(set(written)) == 2
    assert all("this is a" in path.read_text() for path in written)


def test_a_bad_file_does_not_stop_the_others(asr):
    outcome = asr("transcribe", "--model", "m", "a.wav", "bad.wav", "c.wav")
    assert outcome.status == 1
    assert outcome.out == "this is a\nthis is c\n"
    assert outcome.err == "asr: bad.wav: no audio in it\n"


def test_an_older_file_stays_unless_told(asr, tmp_path):
    words = ("transcribe", "--model", "m", "a.wav", "--out-dir", tmp_path)
    (tmp_path / "a.txt").write_text("old")
    assert asr(*words).status == 1
    assert (tmp_path / "a.txt").read_text() == "old"
    assert asr(*words, "--overwrite").status == 0
    assert (tmp_path / "a.txt").read_text() == "this is a\n"


def test_several_recordings_in_one_json_are_usage(asr):
    outcome = asr("transcribe", "--model", "m", "a.wav", "b.wav", "--format", "json")
    assert outcome.status == 2
    assert "--out-dir" in outcome.err
    assert asr("transcribe", "--model", "m", "a.wav", "--format", "doc").status == 2


def test_a_defect_of_ours_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr("sys.argv", ["asr", "transcribe", "--model", "m", "bug.wav"])
    from asr.cli.main import main

    with pytest.raises(ZeroDivisionError):
        main()


def test_a_closed_pipe_ends_the_run(asr, monkeypatch):
    def echo(*words, **options):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("typer.echo", echo)
    assert asr("transcribe", "--model", "m", "a.wav", "b.wav").status == 1


def test_several_formats(asr, tmp_path):
    words = ("transcribe", "--model", "m", "a.wav", "--out-dir", tmp_path, "--format")
    assert asr(*words, "srt,json").status == 0
    assert {path.name for path in tmp_path.iterdir()} == {"a.srt", "a.json"}
    assert asr(*words, "all", "--overwrite").status == 0
    assert {path.suffix[1:] for path in tmp_path.iterdir()} == set(get_args(command.Format))
    assert asr(*words, "all,txt").status == 2
    assert asr("transcribe", "--model", "m", "a.wav", "--format", "srt,json").status == 2  # nowhere to put two


@pytest.mark.parametrize("channel", ["0", "-1", "left", ""])
def test_a_channel_that_cannot_be(asr, channel):
    outcome = asr("transcribe", "--model", "m", "a.wav", f"--channel={channel}")
    assert (outcome.status, "from 1" in outcome.err) == (2, True)


def test_no_model_named_is_none_passed_on(asr):
    assert asr("transcribe", "a.wav").out == "this is a\n"
    assert FakeRecognizer.loaded == [(None, "auto", ())]
