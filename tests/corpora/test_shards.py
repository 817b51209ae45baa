import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from asr.audio.read import AudioError
from asr.corpora.manifest import Utterance, read_utterance
from asr.corpora.shards import ShardedUtterances, ShardError, write_shards


@pytest.fixture
def rows(tmp_path: Path) -> list[Utterance]:
    draws = np.random.default_rng(1)
    found = []
    for number, (suffix, rate) in enumerate([("flac", 16000), ("wav", 8000), ("flac", 44100)]):
        path = tmp_path / f"{number}.{suffix}"
        sf.write(path, draws.uniform(-0.5, 0.5, rate), rate, "PCM_16")
        text = ["", "ünï \x1f\n", "yes"][number]
        found.append(Utterance(f"a.{number}/../x" if number else "plain", path, 0.0, 1.0, text, f"s{number}", "en"))
    return [*found, Utterance("piece", found[0].audio, 0.25, 0.5, "no", "s", "de")]


def test_shards_hold_what_the_list_held(tmp_path: Path, rows: list[Utterance]) -> None:
    write_shards(rows, tmp_path / "out", shard_mb=0.03)
    lazy = ShardedUtterances(tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*.tar"))) > 1
    for old, new in zip(rows, lazy, strict=True):
        assert replace(new, audio=old.audio, start_s=old.start_s, byte_range=None) == old
        np.testing.assert_array_equal(read_utterance(new), read_utterance(old))
    assert lazy.durations().tolist() == [row.duration_s for row in rows]
    assert lazy[-1] == lazy[3] == lazy[2:][1]
    with pytest.raises(IndexError):
        lazy[4]


def test_tars_have_the_layout_of_webdataset_and_whole_flac_is_copied(tmp_path: Path, rows: list[Utterance]) -> None:
    write_shards(rows, tmp_path / "out")
    with tarfile.open(tmp_path / "out" / "shard-000000.tar") as tar:
        names = tar.getnames()
        contents = [tar.extractfile(name).read() for name in names]
    assert all(len(name.split(".")) == 2 and "/" not in name for name in names)
    assert [name.rpartition(".")[2] for name in names] == ["flac", "json"] * 4
    assert contents[0] == rows[0].audio.read_bytes() and contents[4] == rows[2].audio.read_bytes()
    assert [json.loads(each)["id"] for each in contents[1::2]] == [row.id for row in rows]


def test_every_file_cut_short_or_missing_is_noticed(tmp_path: Path, rows: list[Utterance]) -> None:
    write_shards(rows, tmp_path / "out")
    for path in sorted((tmp_path / "out").iterdir()):
        whole = path.read_bytes()
        for n_kept in sorted({0, 1, len(whole) // 2, *range(max(0, len(whole) - 200), len(whole))}):
            path.write_bytes(whole[:n_kept])
            with pytest.raises(ShardError, match=path.name):
                ShardedUtterances(tmp_path / "out")
        path.unlink()
        with pytest.raises(ShardError, match=path.name):
            ShardedUtterances(tmp_path / "out")
        path.write_bytes(whole)
    ShardedUtterances(tmp_path / "out")


def test_a_tar_cut_after_opening_is_named(tmp_path: Path, rows: list[Utterance]) -> None:
    write_shards(rows, tmp_path / "out")
    lazy = ShardedUtterances(tmp_path / "out")
    lazy[0].audio.write_bytes(lazy[0].audio.read_bytes()[:1000])
    with pytest.raises(AudioError, match="shard-000000.tar: ends before byte"):
        read_utterance(lazy[0])


def test_broken_audio_is_listed_and_nothing_stays(tmp_path: Path, rows: list[Utterance]) -> None:
    rows[0].audio.write_bytes(b"no")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ShardError, match=str(rows[0].audio)) as caught:
        write_shards(rows, tmp_path / "out")
    assert len(str(caught.value).splitlines()) == 2
    assert sorted(tmp_path.iterdir()) == before
