"""Every format reads back to the segments it was written from, whatever characters the text holds."""

import csv
import io
import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.recognizer.formats import JOINABLE, Format, render
from asr.recognizer.outputs import output_path, write_output
from asr.recognizer.transcript import Alternative, Segment, Transcript, Word, clean

odd = st.text(st.sampled_from("ab é\t\n\r\x00\x1b[3m<>&-:;(){}\"'\u200d\u2028\u202e\ud800😀"), max_size=20) | st.text(
    max_size=9
)
times = st.floats(0, 400_000)


@st.composite
def transcripts(draw) -> Transcript:
    edges = sorted(draw(st.lists(times, min_size=2, max_size=6)))
    segments = tuple(
        Segment(start_s, end_s, draw(odd), draw(st.floats(-1e3, 0)), draw(st.integers(0, 99)))
        for start_s, end_s in zip(edges, edges[1:], strict=False)
    )
    return Transcript(draw(odd), Path("a/x.flac"), edges[-1], "en", segments)


def expected(transcript: Transcript) -> list[tuple[int, int, str]]:
    return [
        (round(1000 * segment.start_s), round(1000 * segment.end_s), clean(segment.text))
        for segment in transcript.segments
        if clean(segment.text)
    ]


def milliseconds(clock: str) -> int:
    hours, minutes, seconds, rest = map(int, re.fullmatch(r"(\d\d+):(\d\d):(\d\d)[.,](\d{3})", clock).groups())
    assert minutes < 60
    assert seconds < 60
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest


def cue(lines: list[str]) -> tuple[int, int, str]:
    start, arrow, end = lines[0].split(" ")
    assert arrow == "-->"
    assert len(lines) == 2
    return milliseconds(start), milliseconds(end), lines[1]


@settings(deadline=None)  # two busy cores
@given(transcripts())
def test_srt_reads_back(transcript):
    cues = [block.split("\n") for block in render(transcript, "srt").removesuffix("\n").split("\n\n") if block]
    assert [lines[0] for lines in cues] == [str(i + 1) for i in range(len(cues))]
    assert [cue(lines[1:]) for lines in cues] == [
        (a, b, text.replace("-->", "->")) for a, b, text in expected(transcript)
    ]


@settings(deadline=None)  # two busy cores
@given(transcripts())
def test_vtt_reads_back(transcript):
    head, *blocks = render(transcript, "vtt").removesuffix("\n").split("\n\n")
    assert head == "WEBVTT"
    cues = [cue(block.split("\n")) for block in blocks]
    assert not any("<" in text or "-->" in text for _, _, text in cues)
    assert [(a, b, unescape(text)) for a, b, text in cues] == [
        (a, b, unescape(text.replace("&", "&amp;"))) for a, b, text in expected(transcript)
    ]


@settings(deadline=None)  # two busy cores
@given(transcripts())
def test_tsv_reads_back(transcript):
    rows = list(csv.reader(io.StringIO(render(transcript, "tsv")), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert rows[0] == ["start", "end", "text"]
    assert [(int(a), int(b), text) for a, b, text in rows[1:]] == expected(transcript)


@settings(deadline=None)  # two busy cores
@given(transcripts())
def test_json_reads_back(transcript):
    record = json.loads(render(transcript, "json"), parse_constant=pytest.fail)
    assert record["text"] == " ".join(text for _, _, text in expected(transcript))
    assert [segment["id"] for segment in record["segments"]] == list(range(len(transcript.segments)))
    for segment, original in zip(record["segments"], transcript.segments, strict=True):
        assert segment["text"] == clean(original.text)
        assert segment["start"] == pytest.approx(original.start_s, abs=0.001)
        assert segment["avg_logprob"] == pytest.approx(original.score / (original.n_tokens + 1), abs=1e-5)
    line = render(transcript, "jsonl")
    assert line.count("\n") == 1
    assert json.loads(line) == record


@settings(deadline=None)  # two busy cores
@given(transcripts())
def test_ctm_words_fill_their_segments_in_order(transcript):
    comment, *lines = render(transcript, "ctm").removesuffix("\n").split("\n")
    assert comment.startswith(";;")
    rows = [line.split(" ") for line in lines]
    assert [row[4] for row in rows] == " ".join(clean(segment.text) for segment in transcript.segments).split()
    assert all(len(row) == 5 and row[1] == "1" for row in rows)
    starts = [float(row[2]) for row in rows]
    assert starts == sorted(starts)
    assert all(start + float(row[3]) <= transcript.duration_s + 0.002 for start, row in zip(starts, rows, strict=True))


@settings(deadline=None)  # two busy cores
@given(transcripts(), st.sampled_from(["txt", "json", "jsonl", "srt", "vtt", "tsv", "ctm", "trn"]))
def test_no_format_lets_control_characters_through(transcript, format: Format):
    text = render(transcript, format)
    assert not set(re.findall(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202e\u2028]", text)) - {"\n", "\t"}
    text.encode("utf-8")
    if format in JOINABLE:
        assert text.endswith("\n")


@pytest.mark.parametrize(
    ("dirty", "cleaned"),
    [
        ("\x1b[31mred\x1b[0m alert", "red alert"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jwiped", "wiped"),
        ("\x1bcreset", "reset"),
        ("a\x00b\tc\r\nd\u00a0e", "ab c d e"),
        ("क्\u200dष", "क्\u200dष"),
        ("[31m stays", "[31m stays"),
    ],
)
def test_terminal_escapes_are_stripped(dirty, cleaned):
    assert clean(dirty) == cleaned


@settings(deadline=None)  # two busy cores
@given(odd)
def test_cleaning_twice_changes_nothing(text):
    assert clean(clean(text)) == clean(text)


def test_a_plain_transcript_in_every_format():
    segment = Segment(0.0, 3661.5, "hello big world", -1.6, 3, "max_length", flags=("max_length", "loop"))
    transcript = Transcript("spk-1", None, 3661.5, "en", (segment,))
    assert transcript.text == "hello big world"
    assert transcript.finish == "max_length"
    assert render(transcript, "txt") == "hello big world\n"
    assert render(transcript, "srt") == "1\n00:00:00,000 --> 01:01:01,500\nhello big world\n"
    assert render(transcript, "vtt") == "WEBVTT\n\n00:00:00.000 --> 01:01:01.500\nhello big world\n"
    assert render(transcript, "tsv") == "start\tend\ttext\n0\t3661500\thello big world\n"
    assert render(transcript, "trn") == "hello big world (spk-1)\n"
    assert json.loads(render(transcript, "json")) == {
        "text": "hello big world",
        "language": "en",
        "segments": [
            {
                "id": 0,
                "start": 0.0,
                "end": 3661.5,
                "text": "hello big world",
                "avg_logprob": -0.4,
                "words": [],
                "flags": ["max_length", "loop"],
                "n_best": [],
            }
        ],
        "id": "spk-1",
        "audio": None,
        "duration": 3661.5,
        "score": -1.6,
        "finish": "max_length",
        "flags": ["max_length", "loop"],
        "calibrated": False,
    }


def test_words_carry_their_times():
    words = (Word("hello", 1.23456, 1.5, 0.98765), Word("w\x1b[1morld", 2.0, 2.75))
    segment = Segment(1.0, 3.0, "hello w\x1b[1morld", -1.6, 3, words=words)
    transcript = Transcript("spk 1", None, 3.0, "en", (segment,))
    assert json.loads(render(transcript, "json"))["segments"][0]["words"] == [
        {"word": "hello", "start": 1.235, "end": 1.5, "probability": 0.9877},
        {"word": "w orld", "start": 2.0, "end": 2.75, "probability": None},
    ]
    comment, *rows = render(transcript, "ctm").splitlines()
    assert "forced alignment" in comment
    assert rows == ["spk%201 1 1.235 0.265 hello 0.9877", "spk%201 1 2.000 0.750 w", "spk%201 1 2.000 0.750 orld"]
    untimed = replace(segment, words=(Word("hello"), Word("world")))
    comment, *rows = render(replace(transcript, segments=(segment, untimed)), "ctm").splitlines()
    assert "interpolated" in comment
    assert rows[2].startswith("spk%201 1 2.200 0.800 orld"), "all words or none"
    assert json.loads(render(replace(transcript, segments=(untimed,)), "json"))["segments"][0]["words"][0] == {
        "word": "hello",
        "start": None,
        "end": None,
        "probability": None,
    }


def test_other_texts_are_listed():
    others = (Alternative("a\x07 b", -1.23456789, {"attention": -1.0, "ctc": -2.5}), Alternative("a c", -3.0, {}))
    segment = Segment(1.0, 3.0, "a b", -1.6, 3, n_best=others, calibrated=True)
    record = json.loads(render(Transcript("x", None, 3.0, "en", (segment,)), "json"))
    assert record["segments"][0]["n_best"] == [
        {"text": "a b", "score": -1.234568, "scores": {"attention": -1.0, "ctc": -2.5}},
        {"text": "a c", "score": -3.0, "scores": {}},
    ]
    assert record["calibrated"] is True


def test_silence_is_empty_in_every_format():
    transcript = Transcript("x", None, 1.0, "en", (Segment(0.0, 1.0, "", -0.1, 0),))
    assert render(transcript, "txt") == "\n"
    assert render(transcript, "srt") == ""
    assert render(transcript, "vtt") == "WEBVTT\n"
    assert render(transcript, "tsv") == "start\tend\ttext\n"
    assert render(transcript, "trn") == "(x)\n"


def test_inputs_of_one_stem_never_share_an_output(tmp_path):
    inputs = [Path(name) for name in ("a/x.wav", "b/x.wav", "c/x.wav", "c/x.flac", "d/c/x.wav", "a/X.wav", "a/x.wav")]
    taken: list[Path] = []
    for audio in inputs:
        taken.append(output_path(tmp_path, audio, "txt", taken))
    assert taken[0] == tmp_path / "x.txt"
    assert len({path.name.casefold() for path in taken}) == len(inputs)


def test_existing_outputs_are_kept_unless_told(tmp_path):
    path = output_path(tmp_path / "new", Path("x.wav"), "json", [])
    write_output(path, "one")
    with pytest.raises(FileExistsError, match=r"x\.json: exists already"):
        output_path(tmp_path / "new", Path("x.wav"), "json", [])
    assert output_path(tmp_path / "new", Path("x.wav"), "json", [], overwrite=True) == path
    assert output_path(tmp_path / "new", Path("b/x.wav"), "json", [path], overwrite=True) != path
    write_output(path, "two")
    assert [entry.name for entry in path.parent.iterdir()] == ["x.json"]
    assert path.read_text() == "two"
