from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr.corpora.candidate import Candidate
from asr.corpora.manifest import Utterance
from asr.corpora.validate import Fault, validate, write_faults


def check(*candidates: Candidate) -> tuple[list[Utterance], list[Fault]]:
    found = validate(candidates, "en", lambda done, total: None)
    assert len(found.utterances) == len(found.further)
    return found.utterances, found.faults


def reasons(path: Path, text: str = "yes") -> list[str]:
    utterances, faults = check(Candidate("a", path, text, "s"))
    assert bool(utterances) != bool(faults)
    return [fault.reason.split(":")[0] for fault in faults]


def test_a_sound_utterance_becomes_a_row(tmp_path: Path, speak: Callable[..., Path]) -> None:
    path = speak(tmp_path / "a.wav", 1.25, 44_100)
    utterances, faults = check(Candidate("a", path, "  It's\tTEN ", "s"))
    assert utterances == [Utterance("a", path, 0.0, 1.25, "it's ten", "s", "en")]
    assert faults == []


def test_unreadable(tmp_path: Path) -> None:
    assert reasons(tmp_path / "missing.wav") == ["unreadable"]
    (tmp_path / "a.flac").write_text("not audio")
    assert reasons(tmp_path / "a.flac") == ["unreadable"]


def test_unreadable_because_it_breaks_off(tmp_path: Path, speak: Callable[..., Path]) -> None:
    path = speak(tmp_path / "a.flac", 4.0)
    path.write_bytes(path.read_bytes()[:20_000])
    assert reasons(path) == ["unreadable"]


def test_empty(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", np.zeros(0), 16_000)
    assert reasons(tmp_path / "a.wav") == ["empty"]


@pytest.mark.parametrize("level", [0.0, 1e-4, 0.5])
def test_silent_also_with_faint_noise_or_a_constant_offset(tmp_path: Path, level: float) -> None:
    samples = np.full(16_000, level) if level == 0.5 else level * np.sin(np.arange(16_000))
    sf.write(tmp_path / "a.wav", samples, 16_000, subtype="PCM_16")
    assert reasons(tmp_path / "a.wav") == ["silent"]


@pytest.mark.parametrize("text", ["", " \t\n"])
def test_no_text(tmp_path: Path, speak: Callable[..., Path], text: str) -> None:
    assert reasons(speak(tmp_path / "a.wav"), text) == ["no text"]


def test_too_short(tmp_path: Path, speak: Callable[..., Path]) -> None:
    assert reasons(speak(tmp_path / "a.wav", 0.09)) == ["too short"]
    assert reasons(speak(tmp_path / "b.wav", 0.11)) == []


def test_too_short_for_its_text(tmp_path: Path, speak: Callable[..., Path]) -> None:
    path = speak(tmp_path / "a.wav", 1.0)
    assert reasons(path, "x" * 35) == []
    assert reasons(path, "x" * 36) == ["too short for its text"]
    assert reasons(path, " ".join("x" * 18)) == []


@pytest.mark.parametrize("suffix", ["wav", "aiff", "au"])
def test_wrong_length_in_header(tmp_path: Path, speak: Callable[..., Path], suffix: str) -> None:
    path = speak(tmp_path / f"a.{suffix}", 2.0)
    path.write_bytes(path.read_bytes()[:-16_000])
    assert reasons(path) == ["wrong length in header"]


def test_duplicate_id_refuses_the_later_one(tmp_path: Path, speak: Callable[..., Path]) -> None:
    first, second = speak(tmp_path / "a.wav"), speak(tmp_path / "b.wav")
    utterances, faults = check(Candidate("a", first, "yes", "s"), Candidate("a", second, "no", "s"))
    assert [row.audio for row in utterances] == [first]
    assert [(fault.audio, fault.reason.split(":")[0]) for fault in faults] == [(second, "duplicate id")]


def test_no_id(tmp_path: Path, speak: Callable[..., Path]) -> None:
    _, faults = check(Candidate(" ", speak(tmp_path / "a.wav"), "yes", "s"))
    assert [fault.reason.split(":")[0] for fault in faults] == ["no id"]


def test_what_the_loader_knows_is_kept(tmp_path: Path) -> None:
    _, faults = check(Candidate("a", tmp_path / "a.wav", "yes", "s", fault="not listed"))
    assert faults == [Fault("a", tmp_path / "a.wav", "not listed")]


def test_one_utterance_may_have_several_faults(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", np.zeros(800), 16_000)
    assert reasons(tmp_path / "a.wav", "") == ["no text", "silent", "too short"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(kinds=st.lists(st.sampled_from(["good", "missing", "silent", "wordless", "again"]), max_size=20))
def test_all_faults_are_listed_and_order_is_kept(tmp_path: Path, speak: Callable[..., Path], kinds: list[str]) -> None:
    good, silent = tmp_path / "good.wav", tmp_path / "silent.wav"
    if not good.exists():
        speak(good, 0.2)
        sf.write(silent, np.zeros(3_200), 16_000)
    files = {"missing": tmp_path / "missing.wav", "silent": silent}
    candidates = [
        Candidate(
            "again" if kind == "again" else str(number),
            files.get(kind, good),
            "" if kind == "wordless" else "yes",
            "s",
        )
        for number, kind in enumerate(kinds)
    ]
    calls: list[tuple[int, int]] = []
    utterances, _, faults = validate(candidates, "en", lambda done, total: calls.append((done, total)))
    first_again = kinds.index("again") if "again" in kinds else -1
    passed = [n for n, kind in enumerate(kinds) if kind == "good" or n == first_again]
    assert [row.id for row in utterances] == [candidates[n].id for n in passed]
    assert [fault.id for fault in faults] == [candidates[n].id for n in range(len(kinds)) if n not in passed]
    assert calls == [(n + 1, len(kinds)) for n in range(len(kinds))]


HOSTILE_IDS = ["../../etc/passwd", "a/../b", "..", "/etc/a", "\\\\host\\a", "a\\..\\b", "a b", "a\x1b[2J", "~a"]


@pytest.mark.parametrize("id_", HOSTILE_IDS)
def test_an_id_is_no_way_out_and_steers_nothing(tmp_path: Path, speak: Callable[..., Path], id_: str) -> None:
    _, faults = check(Candidate(id_, speak(tmp_path / "a.wav"), "yes", "s"))
    assert [fault.reason.split(":")[0] for fault in faults] == ["not an id"]


@pytest.mark.parametrize("id_", ["a/b", "a..b", "käse-1", "19-198-0001", "a_b.c"])
def test_other_ids_are_fine(tmp_path: Path, speak: Callable[..., Path], id_: str) -> None:
    assert check(Candidate(id_, speak(tmp_path / "a.wav"), "yes", "s"))[1] == []


@pytest.mark.parametrize("text", ["yes\0", "\x1b[31myes", "ye\x07s", "\u202eyes", "\x9b2Jyes", "\x7fyes", "y\ufeffes"])
def test_control_characters_in_a_text(tmp_path: Path, speak: Callable[..., Path], text: str) -> None:
    assert reasons(speak(tmp_path / "a.wav"), text) == ["control character in text"]


def test_blanks_of_all_kinds_are_blanks_and_joiners_are_letters(tmp_path: Path, speak: Callable[..., Path]) -> None:
    path = speak(tmp_path / "a.wav")
    texts = ("one\u00a0two\u2003three\r\n", "می\u200cخواهم")
    utterances, _ = check(*(Candidate(str(n), path, text, "s") for n, text in enumerate(texts)))
    assert [row.text for row in utterances] == ["one two three", "می\u200cخواهم"]


def test_what_is_left_of_a_wrong_decoding(tmp_path: Path, speak: Callable[..., Path]) -> None:
    assert reasons(speak(tmp_path / "a.wav"), "caf\ufffd") == ["wrong encoding"]


def test_a_segment_is_checked_by_itself(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", np.concatenate([np.zeros(16_000), 0.1 * np.sin(np.arange(16_000))]), 16_000)
    spoken = Candidate("a", tmp_path / "a.wav", "yes", "s", start_s=1.0, duration_s=0.5)
    silent = Candidate("b", tmp_path / "a.wav", "yes", "s", start_s=0.25, duration_s=0.5)
    beyond = Candidate("c", tmp_path / "a.wav", "yes", "s", start_s=1.5, duration_s=0.8)
    to_the_end = Candidate("d", tmp_path / "a.wav", "yes", "s", start_s=1.25)
    utterances, faults = check(spoken, silent, beyond, to_the_end)
    assert [(row.id, row.start_s, row.duration_s) for row in utterances] == [("a", 1.0, 0.5), ("d", 1.25, 0.75)]
    assert [(fault.id, fault.reason.split(":")[0]) for fault in faults] == [("b", "silent"), ("c", "unreadable")]


def test_a_claim_that_is_far_off_is_another_file(tmp_path: Path, speak: Callable[..., Path]) -> None:
    path = speak(tmp_path / "a.wav", 2.0)
    good, bad = (Candidate(id_, path, "yes", "s", claimed_s=claim) for id_, claim in (("a", 1.6), ("b", 3.0)))
    utterances, faults = check(good, bad)
    assert [row.duration_s for row in utterances] == [2.0]
    assert [fault.reason.split(":")[0] for fault in faults] == ["not as long as listed"]


def test_what_else_a_row_says_is_kept_with_the_rate(tmp_path: Path, speak: Callable[..., Path]) -> None:
    candidate = Candidate(
        "a", speak(tmp_path / "a.wav", 1.0, 8_000), "yes", "s", further={"label": "on"}, language="de"
    )
    found = validate([candidate], "en", lambda done, total: None)
    assert found.further == [{"label": "on", "rate_hz": 8_000}]
    assert found.utterances[0].language == "de"


def test_the_list_of_faults_steers_no_terminal(tmp_path: Path) -> None:
    write_faults(tmp_path / "r.tsv", [Fault("a\x1b]0;x\x07", tmp_path / "b\tc\u202e.wav", "bad\r\nline\x9b")])
    content = (tmp_path / "r.tsv").read_text()
    assert content.count("\n") == 2
    assert content.splitlines()[1] == f"a\\x1b]0;x\\x07\t{tmp_path}/b c\\u202e.wav\tbad line\\x9b\t"
