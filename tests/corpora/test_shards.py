"""Shards hold what the manifest held, read like WebDataset's, and survive whatever stops their writer."""

import errno
import json
import re
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from faulty_disk import Turn, dies, fails, in_child, spoilt_calls
from hypothesis import given
from hypothesis import strategies as st

from asr.audio.read import AudioError
from asr.corpora.manifest import ManifestError, Utterance, read_manifest, read_utterance, write_manifest
from asr.corpora.shards import MAX_KEY, ShardError, Sharding, member_key, write_shards

IDS = ["plain-1", "a.b/../c.wav", "ünï ~%", "long." * 40, "piece", "-rf"]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    rows = []
    for number, (id_, suffix, rate_hz) in enumerate(
        zip(
            IDS,
            ["flac", "wav", "mp3", "flac", "wav", "wav"],
            [16_000, 8_000, 44_100, 16_000, 8_000, 8_000],
            strict=True,
        )
    ):
        path = folder / f"{number}.{suffix}"
        sf.write(path, np.random.default_rng(number).uniform(-0.5, 0.5, rate_hz), rate_hz)
        rows.append(Utterance(id_, path, 0.0, 1.0, f"text \x1f\n {number}", f"s{number}", "en"))
    rows[4] = replace(rows[4], start_s=0.25, duration_s=0.5)
    write_manifest(folder / "train.jsonl", rows)
    lines = (folder / "train.jsonl").read_text().splitlines()
    lines[0] = json.dumps(json.loads(lines[0]) | {"translation": "ja"})
    (folder / "train.jsonl").write_text("\n\n".join(lines))
    return folder / "train.jsonl"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def pack(manifest: Path, out: Path, max_rejected: float = 0.0) -> Sharding:
    return write_shards(manifest, out, shard_bytes=30_000, max_rejected=max_rejected)


def test_shards_hold_what_the_manifest_held(tmp_path: Path, manifest: Path) -> None:
    told: list[tuple[int, int]] = []
    done = write_shards(
        manifest, tmp_path / "out", shard_bytes=30_000, progress=lambda done, total: told.append((done, total))
    )
    assert told == [(n, 6) for n in range(7)]
    before, after = read_manifest(manifest), read_manifest(done.manifest)
    assert done.n_utterances == len(after) == 6
    assert done.n_shards == len({row.audio for row in after}) > 2
    assert done.n_bytes == sum(path.stat().st_size for path in (tmp_path / "out").glob("*.tar"))
    for old, new in zip(before, after, strict=True):
        assert new.part is not None
        assert replace(new, audio=old.audio, start_s=old.start_s, part=None) == old
        np.testing.assert_array_equal(read_utterance(new), read_utterance(old))
    assert [row.text for row in read_manifest(done.manifest, "speaker")] == [f"s{n}" for n in range(6)]
    assert '"translation": "ja"' in done.manifest.read_text()
    assert not list((tmp_path / "out").glob(".*"))


def test_shards_can_be_packed_again(tmp_path: Path, manifest: Path) -> None:
    first = pack(manifest, tmp_path / "first")
    second = write_shards(first.manifest, tmp_path / "second", shard_bytes=1e9)
    assert second.n_shards == 1
    for old, new in zip(read_manifest(first.manifest), read_manifest(second.manifest), strict=True):
        np.testing.assert_array_equal(read_utterance(new), read_utterance(old))


def test_tars_are_webdataset_s(tmp_path: Path, manifest: Path) -> None:
    """Members of an utterance follow each other, and share what stands before the first dot."""
    pack(manifest, tmp_path / "out")
    found = []
    for path in sorted((tmp_path / "out").glob("*.tar")):
        with tarfile.open(path) as tar:
            members = tar.getmembers()
            for audio, row in zip(members[::2], members[1::2], strict=True):
                key, _, suffix = audio.name.partition(".")
                assert row.name == f"{key}.json"
                assert suffix in ("flac", "wav", "mp3")
                assert re.fullmatch(r"[A-Za-z0-9_~%][A-Za-z0-9_~%-]*", key)
                described = json.loads(tar.extractfile(row).read())
                assert described["audio"] == audio.name
                assert "part" not in described
                found.append((described["id"], described["start"], tar.extractfile(audio).read()))
    assert [id_ for id_, _, _ in found] == IDS
    assert {start for _, start, _ in found} == {0.0}
    for number in (0, 1, 2, 3, 5):
        (source,) = manifest.parent.glob(f"{number}.*")
        assert found[number][2] == source.read_bytes(), "a file used whole is packed as it is"


ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40) | st.text(".~%2E7-/", min_size=1)


@given(st.sets(ids, min_size=2, max_size=20))
def test_keys_are_plain_short_and_all_different(names: set[str]) -> None:
    keys = {member_key(name) for name in names}
    assert len(keys) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_~%][A-Za-z0-9_~%-]*", key) and len(key) <= MAX_KEY for key in keys)


def test_damage_is_named_with_tar_place_and_id(tmp_path: Path, manifest: Path) -> None:
    done = pack(manifest, tmp_path / "out")
    row = read_manifest(done.manifest)[1]
    whole = row.audio.read_bytes()
    place = re.escape(f"a.b/../c.wav: {row.audio}, {row.part.size} bytes from {row.part.offset}: ")
    row.audio.write_bytes(whole[: row.part.offset + 1000])
    with pytest.raises(AudioError, match=f"{place}the file ends at"):
        read_utterance(row)
    at = row.part.offset + row.part.size - 1
    row.audio.write_bytes(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :])
    with pytest.raises(AudioError, match=f"{place}damaged"):
        read_utterance(row)


def test_unreadable_audio_is_listed_and_can_be_mended(tmp_path: Path, manifest: Path) -> None:
    broken = manifest.parent / "3.flac"
    whole = broken.read_bytes()
    broken.write_bytes(b"no")
    with pytest.raises(ShardError, match=r"1 of 6 utterances cannot be read \(16\.7%, at most 0\.0% may be left out\)"):
        pack(manifest, tmp_path / "out")
    assert not (tmp_path / "out" / "train.jsonl").exists()
    assert "3.flac: cannot decode" in (tmp_path / "out" / "train.rejected.tsv").read_text()
    done = pack(manifest, tmp_path / "allowed", max_rejected=0.2)
    assert (done.n_utterances, done.n_rejected) == (5, 1)
    assert [row.id for row in read_manifest(done.manifest)] == [*IDS[:3], *IDS[4:]]
    broken.write_bytes(whole)
    pack(manifest, tmp_path / "out")
    (tmp_path / "out" / "train.rejected.tsv").unlink()
    pack(manifest, tmp_path / "sound")
    assert contents(tmp_path / "out") == contents(tmp_path / "sound")


def test_what_is_there_is_not_touched(tmp_path: Path, manifest: Path) -> None:
    with pytest.raises(ShardError, match="exists already"):
        write_shards(manifest, manifest.parent)
    pack(manifest, tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(ShardError, match="exists already"):
        pack(manifest, tmp_path / "out")
    other = manifest.with_name("other.jsonl")
    other.write_bytes(manifest.read_bytes())
    pack(other, tmp_path / "out")
    assert contents(tmp_path / "out").items() > before.items()


def test_a_faulty_manifest_is_refused_before_anything_is_written(tmp_path: Path, manifest: Path) -> None:
    manifest.write_text(manifest.read_text() + "\n{")
    with pytest.raises(ManifestError, match=r"train\.jsonl:12: not JSON"):
        pack(manifest, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("spoil", "lasting"), [(dies, False), (fails(errno.ENOSPC), True)])
def test_whatever_stops_the_writer_the_same_call_goes_on(tmp_path: Path, spoil, lasting: bool) -> None:
    """The k-th call to the disk fails, or the process dies there, for every k."""
    rows = [Utterance(str(number), tmp_path / f"{number}.wav", 0.0, 0.1, "", "s", "en") for number in range(3)]
    for row in rows:
        sf.write(row.audio, np.random.default_rng(0).uniform(-0.5, 0.5, 1600), 16_000)
    write_manifest(tmp_path / "train.jsonl", rows)

    def attempt(number: int) -> bool:
        turn = Turn(number, spoil, lasting)
        with spoilt_calls(turn):
            write_shards(tmp_path / "train.jsonl", tmp_path / "out", shard_bytes=5000, max_rejected=0.0)
        return turn.came

    def is_stopped(number: int) -> bool:
        if spoil is dies:
            return in_child(lambda: attempt(number)) != 0
        try:
            return attempt(number)
        except (ShardError, ManifestError) as error:
            assert re.search("No space left on device|cannot be read", str(error)), error
            return True

    assert not is_stopped(10_000)
    expected = contents(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    for number in range(10_000):
        stopped = is_stopped(number)
        if not (tmp_path / "out" / "train.jsonl").exists():
            assert not attempt(10_000)
        found = contents(tmp_path / "out")
        litter = {name for name in found if name.startswith(".") or name.endswith((".tsv", ".rows"))}
        assert {name: found[name] for name in found.keys() - litter} == expected, number
        assert not any(name.endswith(".part") for name in litter), number
        shutil.rmtree(tmp_path / "out")
        if not stopped:
            break
    assert number > 50


def test_finished_tars_are_not_written_again(tmp_path: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shards(manifest, tmp_path / "out", shard_bytes=30_000, progress=stop)
    finished = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.tar")}
    assert finished
    told: list[int] = []
    with pytest.raises(ShardError, match="part of the shards of another manifest"):
        write_shards(manifest, tmp_path / "out", shard_bytes=40_000)
    write_shards(manifest, tmp_path / "out", shard_bytes=30_000, progress=lambda done, _: told.append(done))
    assert told[0] > 0
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.tar")}
    assert after.items() > finished.items()


def test_two_writers_do_not_meet(tmp_path: Path, manifest: Path) -> None:
    def second(done: int, total: int) -> None:
        if done == 3:
            with pytest.raises(ShardError, match="another process is writing"):
                pack(manifest, tmp_path / "out")

    write_shards(manifest, tmp_path / "out", shard_bytes=30_000, progress=second)
    assert len(read_manifest(tmp_path / "out" / "train.jsonl")) == 6
