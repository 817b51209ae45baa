import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from own_data import faults, sound

from asr.corpora.candidate import CorpusError
from asr.corpora.lhotse import load_lhotse, load_recipe
from asr.corpora.prepare import prepare

Speak = Callable[..., Path]


def recording(id_: str, source: str, n_channels: int = 1, **other: object) -> dict[str, object]:
    channels = list(range(n_channels))
    sources = [{"type": "file", "channels": channels, "source": source}]
    return {"id": id_, "sources": sources, "channel_ids": channels, "duration": 1.0} | other


def supervision(id_: str, recording_id: str, **other: object) -> dict[str, object]:
    row = {"id": id_, "recording_id": recording_id, "start": 0.0, "duration": 1.0, "channel": 0, "text": "Yes"}
    return row | other


def write(path: Path, rows: list[object]) -> None:
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def test_names_of_files_say_the_split(tmp_path: Path) -> None:
    for name in ("mini_{}_train-clean-5.jsonl.gz", "dev_{}.jsonl", "{}_valid.jsonl.gz"):
        id_ = name[:4]
        write(tmp_path / name.format("recordings"), [recording("r", "a.wav")])
        write(tmp_path / name.format("supervisions"), [supervision(id_, "r", speaker="s", language="German")])
    write(tmp_path / "cuts.jsonl", [])
    splits = load_lhotse(tmp_path, None, tmp_path)
    assert sound(splits) == {"dev": ["dev_", "{}_v"], "train-clean-5": ["mini"]}
    row = splits["dev"][0]
    assert (row.speaker, row.language, row.start_s, row.duration_s) == ("s", "de", 0.0, 1.0)
    (tmp_path / "one").mkdir()
    write(tmp_path / "one" / "recordings.jsonl", [recording("r", "a.wav")])
    write(tmp_path / "one" / "supervisions.jsonl", [supervision("u", "r")])
    assert sound(load_lhotse(tmp_path / "one", None, tmp_path)) == {"": ["u"]}


def test_faults(tmp_path: Path) -> None:
    command = {"type": "command", "channels": [0], "source": f"touch {tmp_path / 'mark'}"}
    recordings = [
        recording("good", "a.wav"),
        recording("stereo", "a.wav", 2),
        recording("pipe", "", sources=[command]),
        recording("url", "", sources=[{"type": "url", "channels": [0], "source": "https://x"}]),
        recording("changed", "a.wav", transforms=[{"name": "Speed"}]),
        recording("out", "../a.wav"),
        recording("none", "", sources=[]),
        "x",
    ]
    supervisions = [
        *(supervision(str(recording_["id"]), str(recording_["id"])) for recording_ in recordings[:-1]),
        supervision("both", "stereo", channel=[0, 1]),
        supervision("gone", "gone"),
        supervision("time", "good", start="0"),
        supervision("text", "good", text=["a"]),
    ]
    write(tmp_path / "train_recordings.jsonl", recordings)
    write(tmp_path / "train_supervisions.jsonl", supervisions)
    splits = load_lhotse(tmp_path, None, tmp_path)
    assert sound(splits) == {"train": ["good", "both"]}
    assert list(faults(splits).values()) == [
        "not a row",
        "one channel of several",
        "a command",
        "not a plain file",
        "not a plain file",
        "outside",
        "no audio",
        "no recording",
        "not a segment",
        "not a text",
    ]
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    "content", [b"\x1f\x8b broken", b"not zipped", gzip.compress(b"{}" * 99)[:-9]], ids=["damaged", "plain", "cut"]
)
def test_a_broken_zip(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "train_recordings.jsonl.gz").write_bytes(content)
    (tmp_path / "train_supervisions.jsonl.gz").write_bytes(content)
    with pytest.raises(CorpusError, match="cannot read it"):
        load_lhotse(tmp_path, None, tmp_path)


def test_a_recipe_of_lhotses(tmp_path: Path, speak: Speak, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lhotse", reason="the extra `lhotse` is not installed")
    for number in range(60):
        speak(tmp_path / "yes" / f"{'_'.join(f'{number:08b}')}.wav", 1.0, 8_000)
    result = prepare("lhotse:yesno", tmp_path / "yes", tmp_path / "out", max_rejected=0.0)
    assert {split.split: split.n_utterances for split in result.splits} == {"train": 30, "test": 30}
    lines = ["LJ-1|No. 1|Number one", "LJ-2|Two|Two"]
    for number in (1, 2):
        speak(tmp_path / "LJSpeech-1.1" / "wavs" / f"LJ-{number}.wav")
    (tmp_path / "LJSpeech-1.1" / "metadata.csv").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)  # a relative SOURCE is found, too
    splits = load_recipe("ljspeech", Path("LJSpeech-1.1"))
    assert all(row.audio.is_file() for row in splits[""])
    assert sound(splits) == {"": ["LJ-1", "LJ-2"]}
    with pytest.raises(CorpusError, match="no such recipe; lhotse has .*ljspeech"):
        load_recipe("lj; touch x", tmp_path)
    with pytest.raises(CorpusError, match="lhotse:aishell: its recipe cannot read"):
        load_recipe("aishell", tmp_path)


def test_without_lhotse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lhotse", None)
    with pytest.raises(CorpusError, match=r"pip install 'asr\[lhotse\]'"):
        prepare("lhotse:yesno", tmp_path, tmp_path / "out", split="train")
