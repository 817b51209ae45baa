import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr.audio.read import Part
from asr.corpora.manifest import ManifestError, Utterance, read_manifest, write_manifest

ROW = {"id": "a", "audio": "a.wav", "start": 0, "duration": 1.5, "text": "yes", "speaker": "s", "language": "en"}

names = st.text(st.characters(blacklist_characters="\0/", blacklist_categories=["Cs"]), min_size=1).filter(
    lambda name: name.strip()
)
file_names = st.text(st.characters(blacklist_characters="\0/"), min_size=1).filter(
    lambda name: name.strip()
)  # any bytes
seconds = st.floats(0, 1e6, allow_nan=False)


@st.composite
def utterances(draw: st.DrawFn) -> list[Utterance]:
    ids = draw(st.lists(names, unique=True, max_size=5))
    return [
        Utterance(
            id=id_,
            audio=Path("/data") / draw(file_names),
            start_s=draw(seconds),
            duration_s=draw(seconds.filter(lambda value: value > 0)),
            text=draw(st.text()),
            speaker=draw(st.text()),
            language=draw(st.text()),
            part=draw(st.none() | st.builds(Part, st.integers(0, 1 << 61), st.integers(1, 99), st.integers(0, 99))),
        )
        for id_ in ids
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=utterances())
def test_what_is_written_is_read(tmp_path: Path, rows: list[Utterance]) -> None:
    write_manifest(tmp_path / "m.jsonl", rows)
    assert read_manifest(tmp_path / "m.jsonl") == rows
    assert [path.name for path in tmp_path.iterdir()] == ["m.jsonl"]


def test_audio_below_the_manifest_moves_with_it(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    inside = Utterance("a", old / "audio" / "a.wav", 0.0, 1.0, "yes", "s", "en")
    outside = Utterance("b", tmp_path / "b.wav", 0.0, 1.0, "no", "s", "en")
    write_manifest(old / "m.jsonl", [inside, outside])
    old.rename(new)
    assert [row.audio for row in read_manifest(new / "m.jsonl")] == [new / "audio" / "a.wav", tmp_path / "b.wav"]


def test_byte_order_mark_crlf_blank_lines_and_further_keys_are_tolerated(tmp_path: Path) -> None:
    lines = [json.dumps(ROW), "", json.dumps(ROW | {"id": "b", "duration": 2, "more": None}), "  "]
    (tmp_path / "m.jsonl").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    rows = read_manifest(tmp_path / "m.jsonl")
    assert [(row.id, row.duration_s, row.audio) for row in rows] == [
        ("a", 1.5, tmp_path / "a.wav"),
        ("b", 2.0, tmp_path / "a.wav"),
    ]


FAULTS = {
    "{": "not JSON",
    "[1]": "expected an object",
    json.dumps({key: value for key, value in ROW.items() if key != "speaker"}): "missing key 'speaker'",
    json.dumps(ROW | {"text": None}): "'text' is None, expected a string",
    json.dumps(ROW | {"id": " "}): "'id' is empty",
    json.dumps(ROW | {"audio": ""}): "'audio' is empty",
    json.dumps(ROW | {"audio": "a\0b"}): "NUL",
    json.dumps(ROW | {"duration": "1"}): "'duration' is '1', expected a number",
    json.dumps(ROW | {"duration": True}): "'duration' is True",
    json.dumps(ROW | {"duration": 0}): "expected more than 0",
    json.dumps(ROW | {"duration": float("nan")}): "'duration' is nan",
    json.dumps(ROW | {"start": -0.1}): "expected 0 or more",
    json.dumps(ROW | {"start": 10**400}): "too large",
    "[" * 100_000: "not JSON",
    json.dumps(ROW | {"text": "\ud800"}): "half of a surrogate pair, '\\ud800'",
    json.dumps(ROW | {"part": [0, 1, 2]}): "'part' is [0, 1, 2], expected an object with offset, size and crc32",
    json.dumps(ROW | {"part": {"offset": 0, "size": 1}}): "expected an object with offset, size and crc32",
    json.dumps(ROW | {"part": {"offset": -1, "size": 1, "crc32": 2}}): "'offset' of 'part' is -1, expected a whole",
    json.dumps(ROW | {"part": {"offset": 0, "size": 0, "crc32": 2}}): "'size' of 'part' is 0, expected a whole number",
    json.dumps(ROW | {"part": {"offset": 0, "size": 1.0, "crc32": 2}}): "'size' of 'part' is 1.0, expected",
    json.dumps(ROW | {"part": {"offset": 0, "size": 1, "crc32": 1 << 32}}): "'crc32' of 'part' is 4294967296, expected",
}


@pytest.mark.parametrize(("line", "message"), FAULTS.items(), ids=[message[:40] for message in FAULTS.values()])
def test_each_fault_is_named_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps(ROW | {"id": "first"}) + "\n" + line + "\n")
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert message in str(caught.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(kinds=st.lists(st.sampled_from(["good", "again", *FAULTS]), min_size=1, max_size=12))
def test_all_faults_are_listed_and_only_those(tmp_path: Path, kinds: list[str]) -> None:
    path = tmp_path / "m.jsonl"
    lines, faulty, seen_again = [], [], False
    for number, kind in enumerate(kinds, start=1):
        good = json.dumps(ROW | {"id": "again" if kind == "again" else f"good-{number}"})
        lines.append(good if kind in ("good", "again") else kind)
        if kind in FAULTS or (kind == "again" and seen_again):
            faulty.append(number)
        seen_again = seen_again or kind == "again"
    path.write_text("\n".join(lines))
    if not faulty:
        assert len(read_manifest(path)) == len(kinds)
        return
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)
    listed = str(caught.value).splitlines()
    assert [line.removeprefix(f"{path}:").split(":")[0] for line in listed] == [str(number) for number in faulty]


def test_another_key_can_be_the_target(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    rows = [ROW | {"translation": "ja"}, ROW | {"id": "b", "translation": 7}, ROW | {"id": "c"}]
    del rows[0]["text"]
    path.write_text(json.dumps(rows[0]))
    assert [row.text for row in read_manifest(path, "translation")] == ["ja"]
    assert [row.text for row in read_manifest(path, "speaker")] == ["s"]
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(ManifestError) as caught:
        read_manifest(path, "translation")
    assert str(caught.value).splitlines() == [
        f"{path}:2: 'translation' is 7, expected a string",
        f"{path}:3: missing key 'translation'; this row has "
        "'id', 'audio', 'start', 'duration', 'text', 'speaker', 'language'",
    ]


def test_files_that_are_no_manifests(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="asr prepare"):
        read_manifest(tmp_path / "missing.jsonl")
    (tmp_path / "latin.jsonl").write_bytes('{"id": "é"}'.encode("latin-1"))
    with pytest.raises(ManifestError, match="not UTF-8"):
        read_manifest(tmp_path / "latin.jsonl")


def test_a_failed_write_leaves_the_old_manifest(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    row = Utterance("a", tmp_path / "a.wav", 0.0, 1.0, "yes", "s", "en")
    write_manifest(path, [row])

    def breaks():
        yield row
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_manifest(path, breaks())
    assert read_manifest(path) == [row]
    assert list(tmp_path.iterdir()) == [path]
