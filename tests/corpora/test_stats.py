import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr.corpora.manifest import ManifestError, Utterance, write_manifest
from asr.corpora.stats import as_json, join, read_statistics, shared
from asr.corpora.stats_picture import draw_statistics


def manifest(path: Path, rows: list[tuple[str, float, str]], rates: list[int] | None = None) -> Path:
    """Rows of text, seconds and speaker."""
    utterances = [
        Utterance(f"u{n}", path.with_name("a.wav"), 0.0, seconds, text, speaker, "en")
        for n, (text, seconds, speaker) in enumerate(rows)
    ]
    write_manifest(path, utterances, None if rates is None else [{"rate_hz": rate} for rate in rates])
    return path


def test_what_is_counted(tmp_path: Path) -> None:
    rows = [("a bc", 1.0, "x"), ("A  b\ta", 2.5, "y"), ("", 0.5, "x"), ('"rate_hz": 9}', 4.0, "x")]
    found = read_statistics(manifest(tmp_path / "m.jsonl", rows, [8000, 16000, 8000, 44100]))
    assert list(found.seconds) == [1.0, 2.5, 0.5, 4.0]
    assert found.speakers == {"x": 3, "y": 1}
    assert found.rates_hz == {8000: 2, 16000: 1, 44100: 1}  # not what a text says
    assert found.words == {"a": 3, "b": 1, "bc": 1, '"rate_hz":': 1, "9}": 1}
    assert found.characters["a"] == 4
    assert found.characters[" "] == 4
    assert found.n_empty == 1
    assert found.first["b"] == f"{tmp_path / 'm.jsonl'}:1"
    assert len(found.texts) == 4


def test_rows_that_do_not_tell_their_rate_and_another_key(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    row = {"id": "a", "audio": "a.wav", "start": 0, "duration": 1, "speaker": "", "language": "de", "label": "on"}
    path.write_text(json.dumps(row))
    found = read_statistics(path, "label")
    assert (found.rates_hz, found.words) == ({0: 1}, {"on": 1})
    with pytest.raises(ManifestError, match="m.jsonl:1: missing key 'text'"):
        read_statistics(path)
    with pytest.raises(ManifestError, match="cannot read the manifest"):
        read_statistics(tmp_path / "none.jsonl")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text("ab '", max_size=8), min_size=1, max_size=12),
    seconds=st.lists(st.floats(0.01, 1e5), min_size=12, max_size=12),
)
def test_against_counting_by_hand(tmp_path: Path, texts: list[str], seconds: list[float]) -> None:
    rows = [(text, s, str(n % 3)) for n, (text, s) in enumerate(zip(texts, seconds, strict=False))]
    found = read_statistics(manifest(tmp_path / "m.jsonl", rows))
    assert found.characters == Counter("".join(" ".join(text.split()) for text in texts))
    histogram = found.histogram()
    assert sum(n for *_, n in histogram) == len(texts)
    assert len(histogram) <= 22
    assert histogram[-1][1] >= max(found.seconds)
    for start, end, n in histogram[:-1]:
        assert abs(n - sum(start <= s < end for s in found.seconds)) <= 2 * sum(
            min(abs(s - start), abs(s - end)) < 1e-9 * s for s in found.seconds
        )
    assert found.percentiles()[50] == pytest.approx(np.median(list(found.seconds)))
    halves = [read_statistics(manifest(tmp_path / f"{half}.jsonl", rows[half::2])) for half in (0, 1)]
    whole = join(halves)
    assert (whole.words, whole.speakers, whole.n_empty) == (found.words, found.speakers, found.n_empty)
    assert sorted(whole.seconds) == sorted(found.seconds)


def test_letters_that_look_alike_and_rare_ones(tmp_path: Path) -> None:
    rows = [("quick brown fox jumps over the lazy dog", 3.0, "s")] * 300 + [("dоg", 1.0, "s"), ("café", 1.0, "s")]
    odd = {each.character: each for each in read_statistics(manifest(tmp_path / "m.jsonl", rows)).odd_characters()}
    assert odd.keys() == {"о", "é"}
    assert odd["о"].name == "CYRILLIC SMALL LETTER O"
    assert odd["о"].first.endswith("m.jsonl:301")


def test_nothing_is_odd_in_one_script_used_evenly(tmp_path: Path) -> None:
    rows = [("мама мыла раму", 2.0, "s")] * 5
    assert read_statistics(manifest(tmp_path / "m.jsonl", rows)).odd_characters() == []


def test_what_manifests_share(tmp_path: Path) -> None:
    one = read_statistics(manifest(tmp_path / "one.jsonl", [("a", 1.0, "x"), ("b", 1.0, "")]))
    two = read_statistics(manifest(tmp_path / "two.jsonl", [("A", 1.0, "x"), ("c", 1.0, "")]))
    assert shared([one, two]) == [("one.jsonl", "two.jsonl", 1, 1)]


def test_an_empty_manifest_and_plain_values(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text("")
    empty = read_statistics(tmp_path / "m.jsonl")
    assert (empty.histogram(), empty.percentiles(), empty.odd_characters()) == ([], {}, [])
    plain = json.loads(json.dumps(as_json(empty)))
    assert (plain["utterances"], plain["hours"]) == (0, 0)
    assert draw_statistics([empty], "png").startswith(b"\x89PNG")


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_picture_of_any_letters(tmp_path: Path, suffix: str) -> None:
    rows = [("$^_ {} 楼市 о\u0301 🎤", 1.0, "s"), ("plain", 70.0, "t")]
    parts = [read_statistics(manifest(tmp_path / f"{name}.jsonl", rows)) for name in ("$a_b", "b")]
    assert len(draw_statistics(parts, suffix)) > 5_000
