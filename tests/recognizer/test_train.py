"""Training for real, on a tiny language of tones: it learns, resumes bit for bit, and refuses what is not its own."""

import _thread
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from runs import TEXTS, hashes, train_killed
from tones import write_corpus, write_recipe

import asr
from asr.corpora.manifest import read_manifest, write_manifest
from asr.corpora.prepare import prepare
from asr.corpora.shards import write_shards
from asr.recipe.load import RecipeError, load_recipe
from asr.recognizer.evaluate import evaluate
from asr.recognizer.train import train_recipe
from asr.training import objectives as objectives_room
from asr.training import trainer as trainer_room
from asr.training.learner import Learner
from asr.training.tensors import load_tensors
from asr.training.trainer import Trainer, TrainingError


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("tones"), TEXTS)


def logged(folder: Path) -> list[tuple[str, int, float]]:
    """What metrics.jsonl says, times left out."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(row["group"], row["step"], row["wer"]) for row in rows if "wer" in row]


@pytest.mark.parametrize("moments", [[1, 5, 6, 11], [4, 4, 4]])
def test_a_killed_run_ends_with_the_bits_of_an_unbroken_one(manifest: Path, tmp_path: Path, moments: list[int]) -> None:
    recipe = load_recipe(write_recipe(tmp_path / "r.yaml", manifest))
    train_recipe(recipe, tmp_path / "unbroken")
    train_killed(recipe, tmp_path / "killed", moments)
    train_recipe(recipe, tmp_path / "killed")  # once more, for nothing
    assert hashes(tmp_path / "killed") == hashes(tmp_path / "unbroken")
    assert logged(tmp_path / "killed") == logged(tmp_path / "unbroken")


def test_decoding_processes_change_nothing(manifest: Path, tmp_path: Path) -> None:
    path = write_recipe(tmp_path / "r.yaml", manifest, n_steps=6)
    train_recipe(load_recipe(path), tmp_path / "none")
    train_recipe(load_recipe(path, ["data.n_workers=2"]), tmp_path / "two")
    none, two = hashes(tmp_path / "none"), hashes(tmp_path / "two")
    assert none == two


def test_audio_in_shards_changes_nothing(manifest: Path, tmp_path: Path) -> None:
    packed = write_shards(manifest, tmp_path / "shards", shard_bytes=100_000).manifest
    train_recipe(load_recipe(write_recipe(tmp_path / "a.yaml", manifest, n_steps=4)), tmp_path / "files")
    train_recipe(load_recipe(write_recipe(tmp_path / "b.yaml", packed, n_steps=4)), tmp_path / "tars")
    assert hashes(tmp_path / "files") == hashes(tmp_path / "tars")


def test_equal_runs_have_equal_bits(manifest: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "r.yaml", manifest, n_steps=4, validate_every=4)
    for name in ("one", "two"):
        command = [sys.executable, "-m", "asr", "train", str(recipe), "--deterministic", "--out", str(tmp_path / name)]
        subprocess.run(command, check=True, capture_output=True)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")


def test_two_ranks_train_validate_and_resume(manifest: Path, tmp_path: Path) -> None:
    """Through the launcher: what one rank began two go on with, and all agree on dev."""
    recipe = write_recipe(tmp_path / "r.yaml", manifest, n_steps=8, validate_every=4, ema_decay=0.9)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    train = ["-m", "asr", "train", str(recipe), "--out", str(tmp_path / "run")]
    for _ in range(2):  # once to train, once more for nothing
        done = subprocess.run([*launcher, *train], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert [row[:2] for row in logged(tmp_path / "run")] == [("dev", 2), ("dev", 4), ("dev", 8), ("average", 8)]
    assert done.stdout.count("model:") == 1, "the first rank speaks for all"
    score = ["-m", "asr", "evaluate", "--model", str(tmp_path / "run" / "best"), str(manifest), "--out"]
    subprocess.run([sys.executable, *score, str(tmp_path / "one")], check=True, capture_output=True)
    subprocess.run([*launcher, *score, str(tmp_path / "two")], check=True, capture_output=True)
    for name in ("hyp.trn", "ref.trn", "wer.txt"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_sigterm_saves_and_the_same_call_goes_on(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe(write_recipe(tmp_path / "r.yaml", manifest, checkpoint_every=100))
    train_recipe(recipe, tmp_path / "unbroken")
    step = Learner.step

    def interrupted(self: Learner, number: int, *given: object) -> object:
        if number == 2:
            _thread.interrupt_main(signal.SIGTERM)  # as `asr.cli.signals` passes it on
        return step(self, number, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_recipe(recipe, tmp_path / "stopped")
    assert [path.name for path in (tmp_path / "stopped" / "checkpoints").iterdir() if path.name > "step-00000002"] == [
        "step-00000003"
    ]
    train_recipe(recipe, tmp_path / "stopped")
    assert hashes(tmp_path / "stopped") == hashes(tmp_path / "unbroken")


def test_a_damaged_checkpoint_is_passed_over(manifest: Path, tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path / "r.yaml", manifest))
    train_recipe(recipe, tmp_path / "run")
    before = hashes(tmp_path / "run")
    last = sorted((tmp_path / "run" / "checkpoints").glob("step-*"))[-1] / "model.safetensors"
    last.write_bytes(last.read_bytes()[:-7])
    with pytest.warns(UserWarning, match=r"skipping .*step-00000012"):
        train_recipe(recipe, tmp_path / "run")
    assert hashes(tmp_path / "run") == before


def test_another_recipe_is_refused(manifest: Path, tmp_path: Path) -> None:
    path = write_recipe(tmp_path / "r.yaml", manifest, n_steps=2, validate_every=2)
    train_recipe(load_recipe(path), tmp_path / "run")
    with pytest.raises(RecipeError, match="another recipe"):
        train_recipe(load_recipe(path, ["training.seed=2"]), tmp_path / "run")


def test_a_gradient_that_is_not_finite_is_kept_and_skipped(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe(write_recipe(tmp_path / "r.yaml", manifest))
    whole, bad_steps = objectives_room.joint_loss, {3, 4}
    running: list[Trainer] = []
    start = Trainer.run

    def run(self: Trainer, *given: object) -> None:
        running[:] = [self]
        start(self, *given)

    def broken(*given: object) -> object:
        sums = whole(*given)
        bad = bool(running) and running[0].step in bad_steps
        return sums._replace(joint=sums.joint * float("nan")) if bad else sums

    monkeypatch.setattr(Trainer, "run", run)
    monkeypatch.setattr(objectives_room, "joint_loss", broken)
    train_recipe(recipe, tmp_path / "run")
    log = (tmp_path / "run" / "train.log").read_text()
    assert re.search(r"step 3: the gradient is nan on s-\d.* and skipped", log)
    kept = load_tensors(tmp_path / "run" / "skipped" / "step-00000004-0" / "batch.safetensors")
    assert kept["samples"].shape[0] == kept["token_lens"].shape[0]
    bad_steps.update(range(100))
    monkeypatch.setattr(trainer_room, "MAX_SKIPPED", 5)
    with pytest.raises(TrainingError, match=r"step 5: .* the 6th: look at these recordings"):
        train_recipe(load_recipe(tmp_path / "r.yaml"), tmp_path / "hopeless")


def test_what_does_not_fit_is_named_before_the_first_step(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("the device is full")

    monkeypatch.setattr(objectives_room, "joint_loss", full)
    with pytest.raises(TrainingError, match=r"out of memory on \d utterances .*s-6.*data\.batch_s"):
        train_recipe(load_recipe(write_recipe(tmp_path / "r.yaml", manifest)), tmp_path / "run")


@pytest.mark.slow
def test_four_real_utterances_are_learnt_by_heart(corpora_dir: Path, tmp_path: Path) -> None:
    source = corpora_dir / "an4"
    if not source.is_dir():
        pytest.skip(f"no AN4 at {source}")
    prepare("an4", source, tmp_path / "an4")
    four = read_manifest(tmp_path / "an4" / "train.jsonl")[106:110]
    write_manifest(tmp_path / "four.jsonl", four)
    schedule = {"n_steps": 500, "warmup_steps": 20, "peak_lr": 5e-3, "validate_every": 250, "checkpoint_every": 500}
    path = write_recipe(tmp_path / "r.yaml", tmp_path / "four.jsonl", **schedule)
    plain = ["data.batch_s=30.0", "augment.speeds=[1.0]", "augment.spec_augment=null"]
    wider = ["model.listener.d_hidden=64", "model.listener.dropout=0.0"]
    model = train_recipe(load_recipe(path, plain + wider), tmp_path / "run")
    assert evaluate(asr.Recognizer.load(model), tmp_path / "four.jsonl").score.words.n_errors == 0
