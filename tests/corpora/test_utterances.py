"""A manifest opened lazily is what `read_manifest` reads, however its index came to be, and is never a stale one."""

import hashlib
import json
import os
import pickle
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr.corpora import index as index_room
from asr.corpora import utterances as utterances_room
from asr.corpora.manifest import ManifestError, Utterance, read_manifest, write_manifest
from asr.corpora.prepare import prepare
from asr.corpora.shards import write_shards
from asr.corpora.utterances import Utterances
from asr.text.normalize import normalize


@pytest.fixture(params=["small", "large"])
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Small manifests are held in memory; here every one is small, or none."""
    monkeypatch.setattr(utterances_room, "KEPT_FROM_BYTES", 1 << 60 if request.param == "small" else 0)
    return request.param


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utterances_room, "KEPT_FROM_BYTES", 0)


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Which manifests were gone through from first to last row."""
    found: list[Path] = []
    build = index_room.build_index

    def counted(path: Path, *given: object) -> object:
        found.append(path)
        return build(path, *given)

    monkeypatch.setattr(index_room, "build_index", counted)
    return found


def rows(n: int, mark: str = "") -> list[Utterance]:
    return [Utterance(f"{mark}u{i}", Path(f"/a/{i}.wav"), 0.0, 1.0 + i / 8, f"Text {i}é", "s", "en") for i in range(n)]


def made(path: Path, utterances: list[Utterance]) -> Path:
    write_manifest(path, utterances)
    return path


names = st.text(min_size=1).filter(lambda name: name.strip() and "\0" not in name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    ids=st.lists(names, unique=True, max_size=6),
    texts=st.lists(st.text(), min_size=6, max_size=6),
    ends=st.lists(st.sampled_from(["\n", "\r\n", "\n\n", "\n \u00a0\r\n"]), min_size=6, max_size=6),
    bom=st.booleans(),
    last=st.booleans(),
)
def test_what_is_read_when_asked_for_is_what_is_read_at_once(
    tmp_path: Path, size: str, ids: list[str], texts: list[str], ends: list[str], bom: bool, last: bool
) -> None:
    path = tmp_path / "m.jsonl"
    (tmp_path / "m.jsonl.index").unlink(missing_ok=True)
    row = {"audio": "a.wav", "start": 0, "speaker": "", "language": "en"}
    lines = [
        json.dumps(row | {"id": id_, "duration": len(text) + 0.1, "text": text}, ensure_ascii=len(text) % 2 == 0)
        for id_, text in zip(ids, texts, strict=False)
    ]
    content = "".join(line + end for line, end in zip(lines, ends, strict=False))
    path.write_bytes(b"\xef\xbb\xbf" * bom + (content if last else content.rstrip()).encode())
    expected = read_manifest(path)
    for _ in range(2):  # the second time from the index that was kept
        found = Utterances([path])
        assert len(found) == len(expected)
        assert [found[index] for index in range(len(found))] == list(found) == expected
        assert found.seconds.tolist() == [each.duration_s for each in expected]
        assert set(found.alphabet) == {char for each in expected for char in normalize(each.text)} - {" "}


def test_several_manifests_come_one_after_the_other(tmp_path: Path, size: str) -> None:
    paths = [made(tmp_path / f"{n}.jsonl", rows(n, str(n))) for n in (3, 0, 2)]
    expected = [row for path in paths for row in read_manifest(path)]
    found = Utterances(paths)
    assert list(found) == found[:] == expected
    assert (found[-1], found[1:4]) == (expected[-1], expected[1:4])
    assert found.seconds.tolist() == [row.duration_s for row in expected]
    assert found.fingerprint != Utterances(paths[::-1]).fingerprint
    with pytest.raises(IndexError):
        found[5]
    assert len(Utterances([])) == 0


def test_another_key_can_be_the_target(tmp_path: Path, size: str) -> None:
    path = made(tmp_path / "m.jsonl", rows(3))
    assert [row.text for row in Utterances([path], "speaker")] == ["s"] * 3
    assert [row.text for row in Utterances([path])] == [f"Text {i}é" for i in range(3)]


@pytest.mark.parametrize("change", [("id", "other"), ("duration_s", 1.5), ("text", "b")])
def test_any_change_of_the_set_shows_in_the_fingerprint(tmp_path: Path, size: str, change: tuple[str, object]) -> None:
    before = rows(2)
    sets = [before, [before[0], replace(before[1], **dict([change]))], before[::-1], before[:1]]
    prints = [Utterances([made(tmp_path / f"{n}.jsonl", each)]).fingerprint for n, each in enumerate(sets)]
    assert len(set(prints)) == 4
    assert Utterances([made(tmp_path / "again.jsonl", before)]).fingerprint == prints[0]


def test_the_fingerprint_stays_what_it_was(tmp_path: Path, size: str) -> None:
    """Checkpoints of running experiments know it."""
    path = made(tmp_path / "m.jsonl", [Utterance("a", tmp_path / "a", 0.0, 1.0, "x", "", "")])
    assert Utterances([path]).fingerprint == hashlib.sha256(b"a\x1f1.0\x1fx\x1e").hexdigest()


FAULTY = [
    '{"id": "u1", "audio": "a", "start": 0, "duration": 1, "text": "", "speaker": "", "language": ""}',
    "{",
    '{"id": "u3", "audio": "a", "start": 0, "duration": -1, "text": "", "speaker": "", "language": ""}',
]


def test_faults_and_duplicates_are_listed_as_ever_and_nothing_is_kept(tmp_path: Path, size: str) -> None:
    path = made(tmp_path / "m.jsonl", rows(40))
    path.write_text(path.read_text() + "\n".join(FAULTY))
    messages = []
    for read in (read_manifest, lambda path: Utterances([path])):
        with pytest.raises(ManifestError) as caught:
            read(path)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert messages[0].splitlines()[0] == f"{path}:41: duplicate id 'u1', first on line 2"
    assert [line.split(":")[1] for line in messages[0].splitlines()] == ["41", "42", "43"]
    assert list(tmp_path.iterdir()) == [path]


def test_ids_with_equal_hashes_are_no_duplicates(tmp_path: Path, size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asr.corpora.manifest.hash", lambda _: 7, raising=False)
    path = made(tmp_path / "m.jsonl", rows(4))
    assert len(Utterances([path])) == 4
    path.write_text(path.read_text() + path.read_text().splitlines()[2])
    with pytest.raises(ManifestError, match=r"m\.jsonl:5: duplicate id 'u2', first on line 3"):
        Utterances([path])


def test_an_index_is_kept_and_spares_the_second_reading(tmp_path: Path, large: None, builds: list[Path]) -> None:
    path = made(tmp_path / "m.jsonl", rows(20))
    first, second = Utterances([path]), Utterances([path])
    assert builds == [path]
    assert {each.name for each in tmp_path.iterdir()} == {"m.jsonl", "m.jsonl.index"}
    assert list(first) == list(second)
    assert (first.fingerprint, first.alphabet) == (second.fingerprint, second.alphabet)
    assert isinstance(second.seconds.base.base, np.memmap) or isinstance(second.seconds.base, np.memmap)


@pytest.mark.parametrize("same_size", [True, False])
def test_a_manifest_that_changed_is_gone_through_again(
    tmp_path: Path, large: None, builds: list[Path], same_size: bool
) -> None:
    path = made(tmp_path / "m.jsonl", rows(3))
    Utterances([path])
    changed = [replace(row, text="Tuxt 1é" if same_size else "longer") for row in rows(3)]
    write_manifest(path, changed)
    assert [row.text for row in Utterances([path])] == [row.text for row in changed]
    assert len(builds) == 2


def test_a_row_that_changed_behind_the_index_is_noticed(tmp_path: Path, size: str) -> None:
    """Same size, same time: what no index can see, the row itself tells."""
    path = made(tmp_path / "m.jsonl", rows(3))
    opened, before = Utterances([path]), path.stat()
    path.write_bytes(path.read_bytes().replace(b"Text 1", b"Tuxt 1"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    for found in [opened] if size == "small" else [opened, Utterances([path])]:
        assert (found[0].text, found[2].text) == ("Text 0é", "Text 2é")
        if size == "small":
            assert found[1].text == "Text 1é", "it is held in memory"
            continue
        with pytest.raises(ManifestError, match=r"m\.jsonl: row 2, at byte \d+, has changed since"):
            found[1]


def test_a_manifest_that_is_replaced_stays_what_it_was_for_who_has_it_open(tmp_path: Path, size: str) -> None:
    path = made(tmp_path / "m.jsonl", rows(3))
    opened = Utterances([path])
    write_manifest(path, rows(2, "other"))
    assert list(opened) == rows(3)
    assert list(Utterances([path])) == rows(2, "other")


def test_a_manifest_that_is_cut_short_is_noticed(tmp_path: Path, large: None) -> None:
    path = made(tmp_path / "m.jsonl", rows(3))
    opened = Utterances([path])
    os.truncate(path, path.stat().st_size - 5)
    with pytest.raises(ManifestError, match="row 3"):
        opened[2]


def test_any_damage_to_an_index_is_noticed_and_mended(tmp_path: Path, large: None, builds: list[Path]) -> None:
    path = made(tmp_path / "m.jsonl", rows(5))
    expected = list(Utterances([path]))
    kept = tmp_path / "m.jsonl.index"
    whole = kept.read_bytes()
    damages = [whole[:n] for n in range(0, len(whole), 7)] + [whole + b"\0", bytes(len(whole)), b"{}\n" * 99]
    damages += [whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :] for at in range(0, len(whole), 3)]
    for number, damaged in enumerate(damages, start=2):
        kept.write_bytes(damaged)
        assert list(Utterances([path])) == expected
        assert len(builds) == number
        assert kept.read_bytes() == whole
    assert number > 150


def test_an_index_of_another_manifest_is_not_taken(tmp_path: Path, large: None, builds: list[Path]) -> None:
    path, other = made(tmp_path / "m.jsonl", rows(5)), made(tmp_path / "o.jsonl", rows(5, "o")[::-1])
    Utterances([other])
    (tmp_path / "o.jsonl.index").rename(tmp_path / "m.jsonl.index")
    assert list(Utterances([path])) == rows(5)
    assert builds == [other, path]


def test_without_a_place_to_keep_it_it_is_made_each_time(
    tmp_path: Path, large: None, builds: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path / "m.jsonl", rows(3))

    def full(_: Path) -> object:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(index_room, "whole_file", full)
    for number in (1, 2):
        with pytest.warns(UserWarning, match=r"m\.jsonl\.index: cannot be written \(Read-only file system\)"):
            assert list(Utterances([path])) == rows(3)
        assert len(builds) == number


def test_a_manifest_that_is_still_being_written_is_refused(
    tmp_path: Path, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path / "m.jsonl", rows(3))
    build = index_room.build_index

    def slow(*given: object) -> object:
        found = build(*given)
        with path.open("a") as file:
            file.write("\n")
        return found

    monkeypatch.setattr(index_room, "build_index", slow)
    with pytest.raises(ManifestError, match="has changed while it was read"):
        Utterances([path])
    assert not (tmp_path / "m.jsonl.index").exists()


def test_processes_that_make_it_at_once_do_not_meet(tmp_path: Path, large: None) -> None:
    path = made(tmp_path / "m.jsonl", rows(2000))
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            found = Utterances([path])
            os._exit(0 if found[1999].id == "u1999" and len(found) == 2000 else 1)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    assert {each.name for each in tmp_path.iterdir()} == {"m.jsonl", "m.jsonl.index"}


def test_forked_processes_read_beside_each_other(tmp_path: Path, large: None) -> None:
    """They share the open file: a common position in it would mix up their rows."""
    found = Utterances([made(tmp_path / "m.jsonl", rows(500))])
    children = []
    for first in range(3):
        child = os.fork()
        if child == 0:
            os._exit(0 if all(found[i].id == f"u{i}" for _ in range(10) for i in range(first, 500, 3)) else 1)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 3
    with pytest.raises(TypeError, match="forking"):
        pickle.dumps(found)


def test_a_row_of_any_length_is_read(tmp_path: Path, size: str) -> None:
    long = [replace(row, text="word " * 300_000) for row in rows(2)]
    assert list(Utterances([made(tmp_path / "m.jsonl", [*long, *rows(2, "short")])])) == [*long, *rows(2, "short")]


def test_progress_is_told_in_bytes(tmp_path: Path, large: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_room, "_TELL_EVERY", 2)
    told: list[tuple[str, int, int]] = []

    @contextmanager
    def bar(name: str):
        yield lambda done, total: told.append((name, done, total))

    path = made(tmp_path / "m.jsonl", rows(5))
    for _ in range(2):
        Utterances([path], progress_bar=bar)
    assert [name for name, _, _ in told] == [f"index of {path}"] * 2
    assert 0 < told[0][1] < told[1][1] < told[1][2] == path.stat().st_size


def test_preparing_and_packing_leave_an_index(tmp_path: Path, large: None, builds: list[Path], speak) -> None:
    source = tmp_path / "source"
    for number in range(3):
        speak(source / "wavs" / f"{number}.wav")
    (source / "metadata.csv").write_text("".join(f"{number}|yes {number}|yes {number}\n" for number in range(3)))
    for split in prepare("ljspeech", source, tmp_path / "out").splits:
        packed = write_shards(split.manifest, tmp_path / "packed").manifest
        del builds[:]
        assert list(Utterances([split.manifest]))
        assert list(Utterances([packed]))
        assert not builds
