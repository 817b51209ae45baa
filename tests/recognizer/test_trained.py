"""What a trained model does, on a tiny language of tones: whatever asks it, in any batch, and for any recording."""

import io
import json
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
from runs import TEXTS, train_on_tones
from tones import LETTER_S, write_corpus, write_recipe

import asr
from asr.audio.read import AudioError
from asr.corpora.manifest import read_manifest, read_utterance
from asr.recipe.load import RecipeError, load_recipe
from asr.recognizer.calibrate import calibrate
from asr.recognizer.decode import Stretch
from asr.recognizer.evaluate import evaluate
from asr.recognizer.inspect import inspect
from asr.recognizer.live import transcribe_live
from asr.recognizer.long_form import transcribe_all
from asr.recognizer.pictures.maps import View
from asr.recognizer.recordings import Recording
from asr.recognizer.sight import SightError, look
from asr.recognizer.train import train_recipe
from asr.recognizer.trained import load_trained
from asr.recognizer.transcript import Transcript
from asr.scoring.report import FILES
from asr.training.checkpoint import CheckpointError, verify_directory


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("tones"), TEXTS)


@pytest.fixture(scope="module")
def trained(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_on_tones(manifest, tmp_path_factory.mktemp("trained"), 240, 80)


def test_to_load_it_imports_no_compiler(trained: Path) -> None:
    heavy = ("torch._dynamo", "sympy", "matplotlib")
    code = f"import sys, asr; asr.Recognizer.load(sys.argv[1]); print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code, str(trained)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_it_learns(trained: Path, manifest: Path, tmp_path: Path) -> None:
    recognizer = asr.Recognizer.load(trained)
    found = evaluate(recognizer, manifest, tmp_path / "out")
    assert found.score.words.n_errors == 0, (tmp_path / "out" / "wer.txt").read_text()
    assert found.report.startswith("%WER 0.00 [ 0 / 12, 0 ins, 0 del, 0 sub ]")
    assert not any(found.flags.values())
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(FILES)
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count('"url":"./') == len(found.score.utterances) and '"snr":' in page and "calibration error" in page
    metrics = [json.loads(line) for line in (trained.parent / "metrics.jsonl").read_text().splitlines()]
    assert {"train", "dev", "average"} == {row["group"] for row in metrics}


def test_the_alarm_rings_for_attention_that_does_not_align_and_not_for_a_model_that_works(
    trained: Path, manifest: Path, tmp_path: Path
) -> None:
    train_recipe(load_recipe(write_recipe(tmp_path / "r.yaml", manifest)), tmp_path / "run")  # twelve steps: no chance
    alarms = [line for line in (tmp_path / "run" / "train.log").read_text().splitlines() if "ALIGNMENT" in line]
    assert len(alarms) == 3
    assert "the speller does not listen" in alarms[0]
    assert "attention has not learnt to align" in alarms[2]
    assert all("To mend it: give CTC more weight" in alarm for alarm in alarms)
    last = (trained.parent / "train.log").read_text().partition("step 240  dev")[2]
    assert last
    assert "ALIGNMENT" not in last


def test_batches_change_no_transcript(trained: Path, manifest: Path) -> None:
    recognizer = asr.Recognizer.load(trained)
    texts = [
        {u.id: u.hypothesis for u in evaluate(recognizer, manifest, batch_s=batch_s).score.utterances}
        for batch_s in (0.1, 3.0, 100.0)
    ]
    assert texts[0] == texts[1] == texts[2]


def test_a_long_file_says_what_its_parts_say(trained: Path, manifest: Path, tmp_path: Path) -> None:
    """Cut at the pauses between its parts, in one call with other files, some broken: the same words at their times."""
    recognizer = asr.Recognizer.load(trained)
    parts = [read_utterance(utterance) for utterance in read_manifest(manifest)]
    rng = np.random.default_rng(0)
    pieces, starts_s = [], []
    for part in parts * 3:
        starts_s.append(sum(map(len, pieces)) / 16000)
        pieces += [part, (0.003 * rng.standard_normal(4800)).astype(np.float32)]
    soundfile.write(tmp_path / "long.flac", np.concatenate(pieces), 16000)
    (tmp_path / "broken.flac").write_bytes((tmp_path / "long.flac").read_bytes()[:50_000])
    files = [
        tmp_path / "long.flac",
        tmp_path / "broken.flac",
        *(utterance.audio for utterance in read_manifest(manifest)),
    ]
    recordings = [Recording.of_file(file) for file in files]
    found = dict(transcribe_all(recognizer, recordings, longest_s=2.0))
    assert isinstance(found.pop(1), AudioError)
    long = found.pop(0)
    assert isinstance(long, Transcript)
    assert long.text == " ".join(TEXTS * 3)
    assert long.duration_s == sum(map(len, pieces)) / 16000
    assert all(one.end_s == next_.start_s for one, next_ in zip(long.segments, long.segments[1:], strict=False))
    assert [each.text for each in found.values() if isinstance(each, Transcript)] == TEXTS
    firsts = np.cumsum([0, *(len(text.split()) for text in TEXTS * 3)])[:-1]
    words = [word for segment in long.segments for word in segment.words]
    for start_s, first in zip(starts_s, firsts, strict=True):
        assert words[first].start_s == pytest.approx(start_s + LETTER_S, abs=0.15)


def test_nobody_speaks_no_words(trained: Path) -> None:
    recognizer = asr.Recognizer.load(trained)
    noise = 0.1 * np.random.default_rng(0).standard_normal(16000 * 40)
    hum = 0.1 * np.sin(2 * np.pi * 50 * np.arange(16000 * 40) / 16000)
    for silence in (0 * noise, noise, 0.001 * noise, hum, noise[:3000]):
        transcript = recognizer.transcribe(silence)
        assert (transcript.text, transcript.flags) == ("", ("no_speech",))


def test_a_model_of_other_sounds_listens_to_all(trained: Path) -> None:
    beep = Stretch(0.0, 1.0, may_be_speech=False)
    for only_speech in (True, False):
        recognizer = asr.Recognizer.load(trained, search=[f"only_speech={str(only_speech).lower()}"])
        assert recognizer.listens_to(beep) == (not only_speech)


def test_utterances_are_written_while_sound_comes(trained: Path, manifest: Path) -> None:
    recognizer = asr.Recognizer.load(trained)
    silence = (0.003 * np.random.default_rng(0).standard_normal(16000 * 2)).astype(np.float32)
    parts = [each for utterance in read_manifest(manifest) for each in (silence, read_utterance(utterance))]
    sound = np.concatenate([*parts, silence])
    blocks = (sound[at : at + 1600] for at in range(0, len(sound), 1600))
    found = list(transcribe_live(recognizer, blocks))
    assert [segment.text for segment in found] == TEXTS
    ends_s = np.cumsum([len(part) for part in parts]) / 16000
    for segment, at in zip(found, ends_s[::2], strict=True):
        assert segment.words[0].start_s == pytest.approx(at + LETTER_S, abs=0.15)


def test_batches_change_nothing_that_a_transcript_carries(trained: Path, manifest: Path) -> None:
    recognizer = asr.Recognizer.load(trained)
    recordings = [read_utterance(utterance) for utterance in read_manifest(manifest)]
    stretches = list(map(Stretch.of, recordings))
    together = recognizer.recognize(stretches, *recognizer.listen(recordings))
    for segment, samples, stretch in zip(together, recordings, stretches, strict=True):
        (alone,) = recognizer.recognize([stretch], *recognizer.listen([samples]))
        assert_same(asdict(segment), asdict(alone))
        times = [time_s for word in segment.words for time_s in (word.start_s, word.end_s)]
        assert times == sorted(times)
        assert times[0] >= 0.0
        assert times[-1] <= stretch.end_s
        assert [word.text for word in segment.words] == segment.text.split()
    (later,) = recognizer.recognize([Stretch.of(recordings[0], 1_600_000)], *recognizer.listen(recordings[:1]))
    assert [word.start_s - 100.0 for word in later.words] == pytest.approx([w.start_s for w in together[0].words])


def assert_same(one: object, other: object) -> None:
    """Equal but for what the shape of a batch may do to the last digits."""
    if isinstance(one, float):
        assert one == pytest.approx(other, abs=1e-4)
    elif isinstance(one, dict | tuple | list):
        assert isinstance(other, type(one))
        assert len(one) == len(other)
        pairs = ((one[k], other[k]) for k in (one if isinstance(one, dict) else range(len(one))))
        for pair in pairs:
            assert_same(*pair)
    else:
        assert one == other


def test_confidences_are_calibrated_on_request(trained: Path, manifest: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(trained, tmp_path / "best")
    before = evaluate(asr.Recognizer.load(folder), manifest)
    assert "not calibrated, see `asr calibrate`" in before.report
    fitted = calibrate(asr.Recognizer.load(folder), folder, manifest)
    assert (fitted.calibration.n_words, fitted.calibration.n_wrong) == (12, 0)
    assert fitted.report.startswith("12 words, 0 of them wrong: expected calibration error ")
    verify_directory(folder)
    assert {path.name for path in folder.iterdir()} == {path.name for path in trained.iterdir()} | {"calibration.json"}
    after = evaluate(load_trained(folder), manifest, tmp_path / "out")
    assert after.confidence.calibrated
    assert after.confidence.reliability.ece == pytest.approx(fitted.ece_after)
    about = json.loads((tmp_path / "out" / "results.json").read_text())["about"]
    assert about["confidence"]["reliability"]["bins"][-1]["n_words"] <= 12
    words = asr.Recognizer.load(folder).transcribe(manifest.parent / "u2.wav").segments[0].words
    assert all(0.5 < word.confidence < 1.0 for word in words)
    other = asr.Recognizer.load(folder, search=["method=ctc"]).transcribe(manifest.parent / "u2.wav")
    assert not other.calibrated, "another witness: the calibration says nothing of it"
    assert all(0.0 < word.confidence <= 1.0 for word in other.segments[0].words)
    calibrate(asr.Recognizer.load(folder), folder, manifest)  # again, for another set, say
    verify_directory(folder)


def test_other_texts_come_in_order(trained: Path, manifest: Path) -> None:
    audio = manifest.parent / "u2.wav"
    assert asr.Recognizer.load(trained).transcribe(audio).segments[0].n_best == ()
    segment = asr.Recognizer.load(trained, search=["n_best=3"]).transcribe(audio).segments[0]
    assert len(segment.n_best) == 3
    assert segment.n_best[0].text == segment.text
    assert segment.n_best[0].score == segment.score
    scores = [each.score for each in segment.n_best]
    assert scores == sorted(scores, reverse=True)
    with pytest.raises(RecipeError, match="n_best"):
        asr.Recognizer.load(trained, search=["n_best=5"])  # of a beam of four


def test_suspect_transcripts_are_flagged(trained: Path, manifest: Path) -> None:
    recognizer = asr.Recognizer.load(trained)
    rng = np.random.default_rng(0)
    hum = 0.1 * np.sin(2 * np.pi * 50 * np.arange(32000) / 16000)
    for nothing in (np.zeros(32000), 0.1 * rng.standard_normal(32000), hum, np.zeros(1600)):
        assert "no_speech" in recognizer.transcribe(nothing).flags
    hasty = asr.Recognizer.load(trained, search=["max_length_ratio=0.1"])
    found = evaluate(hasty, manifest)
    assert found.flags["max_length"] == len(TEXTS)
    assert found.flags["missing_text"] >= len(TEXTS) // 2
    assert f"transcripts to distrust: max_length {len(TEXTS)}, " in found.report
    both = np.concatenate([read_utterance(utterance) for utterance in read_manifest(manifest)[:2]])
    assert recognizer.transcribe(both).flags == ()


def test_search_can_be_changed_and_a_typo_is_refused(trained: Path) -> None:
    recognizer = asr.Recognizer.load(trained, search=["beam_size=2", "ctc_weight=0.5"])
    assert (recognizer.settings.beam_size, recognizer.settings.ctc_weight) == (2, 0.5)
    with pytest.raises(RecipeError, match="beam_size"):
        asr.Recognizer.load(trained, search=["beam_sise=2"])


def test_one_file_and_its_picture(trained: Path, manifest: Path, tmp_path: Path) -> None:
    recognizer = asr.Recognizer.load(trained)
    audio = manifest.parent / "u2.wav"
    transcript = recognizer.transcribe(audio)
    assert (transcript.text, transcript.language, transcript.finish) == ("bad cab", "en", "eos")
    assert transcript.duration_s == pytest.approx(9 * 0.16)
    (bad, cab) = transcript.segments[0].words
    assert (bad.text, cab.text) == ("bad", "cab")
    spoken = [n_letters * LETTER_S for n_letters in (1, 4, 5, 8)]  # " bad cab "
    assert [bad.start_s, bad.end_s, cab.start_s, cab.end_s] == pytest.approx(spoken, abs=0.75 * LETTER_S)
    inspect(recognizer, audio, tmp_path / "heard.png")
    inspect(recognizer, audio, tmp_path / "told.svg", text="bad cab")
    assert (tmp_path / "heard.png").stat().st_size > 10_000
    assert "the words as told" in (tmp_path / "told.svg").read_text()


def test_one_file_as_numbers(trained: Path, manifest: Path, tmp_path: Path) -> None:
    import numpy as np

    inspect(asr.Recognizer.load(trained), manifest.parent / "u2.wav", tmp_path / "new" / "heard.NPZ")
    with np.load(tmp_path / "new" / "heard.NPZ", allow_pickle=False) as seen:
        n_states = len(seen["posteriors"])
        assert "".join(seen["pieces"]) == "▁bad▁cab</s>"
        assert seen["attention"].shape == (1, 9, n_states) and seen["maps"].shape == (1, 9, n_states)
        assert list(seen["heads"]) == list(seen["titles"]) == ["attention"]
        np.testing.assert_allclose(seen["attention"].sum(-1), 1.0, atol=1e-5)
        np.testing.assert_allclose(seen["posteriors"].sum(-1), 1.0, atol=1e-5)
        assert seen["posteriors"].shape[1] == len(seen["vocabulary"])
        start, end = seen["frames_s"]
        assert (end - start) / len(seen["features"]) == pytest.approx(0.01)


def test_a_listener_without_self_attention_says_so(trained: Path, manifest: Path, tmp_path: Path) -> None:
    recognizer = asr.Recognizer.load(trained)
    for view in (View(of_listener=True), View(rollout=True)):
        with pytest.raises(SightError, match="has no self-attention: only attention to its states can be seen"):
            inspect(recognizer, manifest.parent / "u2.wav", tmp_path / "x.png", view=view)
    assert not (tmp_path / "x.png").exists()


def test_each_validation_leaves_a_picture_in_its_folder_and_on_the_board(trained: Path) -> None:
    from matplotlib import image
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    pictures = sorted((trained.parent / "attention").iterdir())
    assert [path.name for path in pictures] == [f"step-{step:08d}.png" for step in (36, 80, 160, 240)]
    events = EventAccumulator(str(trained.parent / "tensorboard")).Reload()
    assert [each.step for each in events.Images("dev/attention")] == [36, 80, 160, 240]
    (average,) = events.Images("average/attention")  # the last in the folder, too
    in_folder = image.imread(pictures[-1])[..., :3]
    on_board = image.imread(io.BytesIO(average.encoded_image_string), format="png")[..., :3]
    assert on_board.shape == in_folder.shape and abs(on_board - in_folder).max() < 0.01


def test_a_moment_of_audio_is_no_crash(trained: Path) -> None:
    import numpy as np

    recognizer = asr.Recognizer.load(trained)
    assert recognizer.transcribe(np.zeros(5, np.float32)).duration_s == 5 / 16000
    assert look(recognizer.model, recognizer.tokenizer, np.zeros(5, np.float32), lambda *_: []).duration_s == 0.1


def test_a_damaged_model_is_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such model folder"):
        asr.Recognizer.load(tmp_path / "nothing")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in trained.iterdir():
        content = path.read_bytes()
        (damaged / path.name).write_bytes(content if path.name != "recipe.yaml" else content + b"\n")
    with pytest.raises(CheckpointError, match=r"recipe\.yaml"):
        asr.Recognizer.load(damaged)
