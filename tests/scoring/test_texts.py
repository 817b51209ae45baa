"""Texts from anyone's files: every format says the same, and what is faulty is told with its place."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.scoring.corpus import score
from asr.scoring.errors import ScoringError
from asr.scoring.files import advice, read_pairs, score_pairs
from asr.scoring.normalizers import RAW, normalizer
from asr.scoring.report import write_report
from asr.scoring.texts import read_texts

words = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1, max_size=6).filter(
    lambda word: word.split() == [word] and not set("();<>\ufeff") & set(word)
)
corpora = st.dictionaries(
    st.from_regex(r"[a-z]{1,3}[-_][0-9]{1,4}", fullmatch=True), st.lists(words, max_size=4).map(" ".join), min_size=1
)


def written(folder, name, texts, rng):
    """The same corpus in a format, its rows shuffled."""
    rows = list(texts.items())
    rng.shuffle(rows)
    path = folder / name
    content = {
        "x.trn": "".join(f"{text} ({id})\n" for id, text in rows),
        "text": "".join(f"{id} {text}\n" for id, text in rows),
        "kaldi.txt": "\ufeff" + "".join(f"{id}\t{text}\r\n" for id, text in rows),
        "rows.jsonl": "\n".join(json.dumps({"id": id, "text": text}) for id, text in rows),
        "nemo.json": "".join(
            json.dumps({"audio_filepath": id, "text": "no", "pred_text": text}) + "\n\n" for id, text in rows
        ),
        "list.json": json.dumps([{"utt_id": id, "text": text} for id, text in rows], indent=1),
        "map.json": json.dumps(dict(rows)),
        "results.json": json.dumps({"utterances": [{"id": i, "reference": "no", "hypothesis": t} for i, t in rows]}),
    }[name]
    path.write_text(content, encoding="utf-8", newline="")
    return path


@settings(deadline=None, max_examples=30)
@given(corpora, st.randoms(use_true_random=False))
def test_every_format_says_the_same_in_any_order(tmp_path_factory, texts, rng):
    folder = tmp_path_factory.mktemp("texts")
    reference = written(folder, "x.trn", texts, rng)
    for name in ("text", "kaldi.txt", "rows.jsonl", "nemo.json", "list.json", "map.json", "results.json"):
        hypothesis = written(folder, name, texts, rng)
        assert {row.id: row.text for row in read_texts(hypothesis, "hypothesis").rows} == texts, name
        assert score_pairs(read_pairs(reference, hypothesis), n_resamples=2).words.n_errors == 0


def lines_file(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_lines_are_joined_by_their_number_and_none_is_lost(tmp_path):
    # jiwer's command line says 0.0 for both: it drops lines of one character.
    reference = lines_file(tmp_path / "r.txt", "a", "hello world", "")
    hypothesis = lines_file(tmp_path / "h.txt", "b", "hello world", "ghost")
    pairs = read_pairs(reference, hypothesis)
    assert "joined line by line: neither file has ids" in pairs.notes
    assert score_pairs(pairs).words.n_errors == 2
    lines_file(reference, "i", "hello world", "yes please")
    assert (
        score_pairs(read_pairs(reference, lines_file(hypothesis, "hello world", "i", "yes please"))).words.n_errors == 4
    )
    with pytest.raises(ScoringError, match=r"r\.txt has 3 lines, .*h\.txt has 2: .* need the same number"):
        read_pairs(reference, lines_file(hypothesis, "i", "hello world"))


def test_ids_on_one_side_alone_are_refused(tmp_path):
    plain = lines_file(tmp_path / "h.txt", "hello")
    with pytest.raises(ScoringError, match=r"r\.trn has ids \(read as trn\), .*h\.txt has none \(read as lines\)"):
        read_pairs(lines_file(tmp_path / "r.trn", "hello (a-1)"), plain)


def test_missing_extra_and_repeated_ids_are_named_and_counted(tmp_path):
    reference = lines_file(tmp_path / "r.trn", "x (a-1)", "x (a-2)", "x (a-3)")
    with pytest.raises(ScoringError, match=r"(?s)2 utter.* without a hyp.*: a-2, a-3\n1 utter.* without a ref.*: b-1"):
        score_pairs(read_pairs(reference, lines_file(tmp_path / "h.trn", "x (b-1)", "x (a-1)")))
    for name, lines in {
        "h.trn": ["x (a-1)", "y (a-1)"],
        "h.txt": ["a-1 x", "a-1 y"],
        "h.jsonl": ['{"id": "a-1", "text": "x"}', '{"id": "a-1", "text": "y"}'],
    }.items():
        with pytest.raises(ScoringError, match=r"1 utterance id\(s\) more than once in .*: a-1"):
            read_pairs(reference, lines_file(tmp_path / name, *lines))
    with pytest.raises(ScoringError, match=r"map\.json: 1 key\(s\) more than once in one object: a-1"):
        read_pairs(reference, lines_file(tmp_path / "map.json", '{"a-1": "x", "a-1": "y"}'))


def test_first_words_that_may_be_ids_are_asked_about(tmp_path):
    names = [chr(ord("a") + i) * 3 for i in range(12)]
    reference = lines_file(tmp_path / "r.txt", *(f"{name} seven" for name in names))
    hypothesis = lines_file(tmp_path / "h.txt", *(f"{name} eleven" for name in reversed(names)))
    with pytest.raises(ScoringError, match="'aaa'.*: are they ids"):
        read_pairs(reference, hypothesis)
    found = score_pairs(read_pairs(reference, hypothesis, "kaldi", "kaldi"))
    assert (found.words.n_errors, found.words.n_reference) == (12, 12)
    assert score_pairs(read_pairs(reference, hypothesis, "lines", "lines")).words.n_reference == 24


def test_a_missing_prediction_never_falls_back_to_the_reference(tmp_path):
    path = lines_file(
        tmp_path / "x.json",
        '{"audio_filepath": "a.wav", "text": "one", "pred_text": "two"}',
        '{"audio_filepath": "b.wav", "text": "one"}',
        '{"audio_filepath": "c.wav", "text": "one", "pred_text": null}',
    )
    with pytest.raises(ScoringError, match=r"(?s)line 2: 'pred_text' is missing.*line 3: 'pred_text' is missing"):
        read_pairs(path, path)
    lines_file(path, '{"audio_filepath": "a.wav", "text": "one"}')
    with pytest.raises(ScoringError, match="given for both sides, but it holds no predictions"):
        read_pairs(path, path)


def test_ids_may_differ_by_folder_and_audio_suffix_if_that_pairs_all(tmp_path):
    reference = lines_file(tmp_path / "r.jsonl", *(json.dumps({"id": id, "text": "x"}) for id in ("a.1", "b")))
    hypothesis = lines_file(
        tmp_path / "h.jsonl", *(json.dumps({"id": id, "text": "x"}) for id in ("x/b.wav", "x/a.1.flac"))
    )
    pairs = read_pairs(reference, hypothesis)
    assert pairs.references.keys() == pairs.hypotheses.keys() == {"a.1", "b"}
    assert any("without folders" in note for note in pairs.notes)
    lines_file(hypothesis, *(json.dumps({"id": id, "text": "x"}) for id in ("x/b.wav", "y/b.wav")))
    with pytest.raises(ScoringError, match="without a hypothesis: a.1, b"):
        score_pairs(read_pairs(reference, hypothesis))


def test_what_is_known_beside_the_text(tmp_path):
    rows = [
        {"id": "u1", "text": "a b", "speaker": "ann", "corpus": "x", "duration": 2.0, "audio": "u1.wav", "start": 1.0},
        {"id": "u2", "text": "a", "client_id": "bob"},
    ]
    words = [{"word": "a", "confidence": 0.9}, {"word": "c", "confidence": 0.25}]
    hyps = [
        {"id": "u1", "text": "a c", "segments": [{"words": words[:1]}, {"words": words[1:]}]},
        {"id": "u2", "text": "a", "words": [{"word": "b", "confidence": 0.5}]},
    ]
    reference = lines_file(tmp_path / "r.jsonl", *map(json.dumps, rows))
    known = read_pairs(reference, lines_file(tmp_path / "h.jsonl", *map(json.dumps, hyps))).known
    one = known["u1"]
    assert (one.speaker, one.corpus, one.duration_s, one.confidences) == ("ann", "x", 2.0, (0.9, 0.25))
    assert one.clip is not None and (one.clip.path, one.clip.start_s) == (tmp_path / "u1.wav", 1.0)
    assert (known["u2"].speaker, known["u2"].confidences) == ("bob", None)  # words of another text are not trusted


def test_a_folder_of_one_text_a_file_and_a_folder_of_a_report(tmp_path):
    contents = {
        "a/u1.txt": "one two\n",
        "a/u2.txt": "\n",
        "b/x/u1.json": '{"text": "one"}',
        "b/u2.json": '{"text": ""}',
    }
    for name, text in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    pairs = read_pairs(tmp_path / "a", tmp_path / "b")
    assert pairs.references == {"u1": "one two", "u2": ""} and pairs.hypotheses == {"u1": "one", "u2": ""}
    assert (
        read_pairs(lines_file(tmp_path / "r.trn", "one two (u1)", "(u2)"), tmp_path / "b").references["u1"] == "one two"
    )
    with pytest.raises(ScoringError, match="given for both sides"):
        read_pairs(tmp_path / "a", tmp_path / "a")
    write_report(tmp_path / "report", score_pairs(pairs, n_resamples=2))
    again = read_pairs(tmp_path / "report", tmp_path / "report")
    assert (again.references, again.hypotheses) == (pairs.references, pairs.hypotheses)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScoringError, match=r"empty: holds no \.txt or \.json files"):
        read_texts(tmp_path / "empty", "reference")


def test_speakers_of_trn_are_sclite_s(tmp_path):
    rows = read_texts(lines_file(tmp_path / "x.trn", "a (ann-1)", "b (bob_2-3)", "c (u4)"), "reference").rows
    assert [row.known.speaker for row in rows] == ["ann", "bob", None]


def test_stm(tmp_path):
    stm = [
        ";; comment",
        "rec 1 ann 0.5 2.25 <o,f0,female> hello there",
        "rec 1 inter 2.3 4 ignore_time_segment_in_scoring",
    ]
    texts = read_texts(lines_file(tmp_path / "x.stm", *stm), "reference")
    (row,) = texts.rows
    assert (row.id, row.text, row.known.speaker, row.known.duration_s) == (
        "rec-1-0.500-2.250",
        "hello there",
        "ann",
        1.75,
    )
    assert "1 of 2 segments" in texts.notes[0]
    with pytest.raises(ScoringError, match=r"x\.stm:1: expected 'file channel"):
        read_texts(lines_file(tmp_path / "x.stm", "rec 1 ann start end hello"), "reference")


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.trn", "x.stm", "x.txt", "text"])
def test_no_file_whatever_raises_anything_else(tmp_path, name):
    rng = random.Random(name)
    pieces = [
        b'{"id": "a", "text": ',
        b"[",
        b"]",
        b"}",
        b'"x"',
        b"\n",
        b"\0",
        b"\xff",
        b" (a-1)",
        b"null",
        b"\xef\xbb\xbf",
        b"1 ",
        b";;",
    ]
    path = tmp_path / name
    for _ in range(300):
        path.write_bytes(b"".join(rng.choices(pieces, k=rng.randint(0, 9))))
        try:
            texts = read_texts(path, rng.choice(["reference", "hypothesis"]))
        except ScoringError as error:
            assert str(path) in str(error)
        else:
            assert texts.rows
    path.write_bytes(b"[" * 100_000)
    if "json" in name:
        with pytest.raises(ScoringError):
            read_texts(path, "reference")


def test_spelling_that_makes_much_of_the_error_is_pointed_out():
    references = {"a": "Hello, caf\u00e9 WORLD one two", "b": "x"}
    found = score(references, {"a": "hello cafe\u0301 world one too", "b": "x"}, n_resamples=2)
    assert advice(found, RAW)[0].startswith(
        "3 of 4 errors are words that differ in nothing but case, punctuation or Unicode"
    )
    assert advice(found, normalizer(["basic"])) == []
    assert advice(score({"a": "x y"}, {"a": "x z"}, n_resamples=2), RAW) == []


def test_a_report_scored_again_keeps_its_speakers(tmp_path):
    first = score({"u1": "a b", "u2": "c"}, {"u1": "a", "u2": "c"}, {"u1": "ann", "u2": "bob"}, n_resamples=2)
    write_report(tmp_path / "report", first)
    pairs = read_pairs(tmp_path / "report", tmp_path / "report")
    assert score_pairs(pairs, n_resamples=2) == first


@pytest.mark.parametrize("value", ["1" + "0" * 400, "1e999", "-1", "NaN", '"x"', "true", "null", "[]"])
def test_odd_numbers_are_not_known(tmp_path, value):
    path = lines_file(tmp_path / "x.jsonl", f'{{"id": "u", "text": "a", "duration": {value}, "start": {value}}}')
    (row,) = read_texts(path, "reference").rows
    assert row.known.duration_s is None
