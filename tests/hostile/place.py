"""Where a hostile case puts its files, and the commands that meet them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hostile.payloads import put, row, tensors
from tones import write_recipe

from asr.corpora import publishers
from asr.corpora.publishers import Archive, Publication
from asr.corpora.utterances import Utterances
from asr.recipe.load import dump_recipe, load_recipe
from asr.training.checkpoint import write_directory, writer


@dataclass(frozen=True)
class Place:
    """Where a case puts its files, and what it may use.

    Attributes:
        top: Folder of the attacker's files.
        mark: What their commands would make.
        out: Where the command may write.
        whole: Files of a trained model.
        patch: Of this test.
    """

    top: Path
    mark: Path
    out: Path
    whole: dict[str, bytes]
    patch: pytest.MonkeyPatch

    def put(self, name: str, content: str | bytes = b"") -> Path:
        return put(self.top / name, content)

    def sound(self, name: str = "a.wav") -> Path:
        path = self.put(name)
        samples = 0.1 * np.random.default_rng(0).normal(size=16_000)
        soundfile.write(path, samples.clip(-1, 1), 16_000)
        return path

    def model(self, **changes: bytes) -> Path:
        """A model's folder with other files in it, its list of files right."""
        names = {name.replace("_", "."): content for name, content in changes.items()}
        files = {name: writer(content) for name, content in (self.whole | names).items()}
        write_directory(self.top / "model", files)
        return self.top / "model"

    def transcribe(self, *words: object, **changes: bytes) -> list[object]:
        return ["transcribe", "--model", self.model(**changes), self.sound(), *words]

    def recipe(self, changed: Callable[[str], str]) -> bytes:
        """That of the model, changed."""
        before = self.whole["recipe.yaml"].decode()
        after = changed(before)
        assert after != before
        return after.encode()

    def train(self, recipe: str | bytes, *words: object) -> list[object]:
        return ["train", self.put("r.yaml", recipe), *words, "--out", self.out]

    def prepare(self, corpus: str, *words: object, source: str = "") -> list[object]:
        return ["prepare", corpus, self.top / source, self.out, "--split", "train", *words]

    def download(self, name: str, content: bytes) -> list[object]:
        """A publisher whose server has been taken over."""
        archive = self.put(name, content)
        published = Publication((Archive(f"https://publisher.invalid/{name}", "md5:0"),), "top")
        self.patch.setitem(publishers.PUBLICATIONS, "yesno", published)
        self.patch.setattr(publishers, "fetch", lambda url, to, *_: put(to, archive.read_bytes()))
        return ["prepare", "yesno", self.out / "in", self.out / "data", "--download"]

    def run(self, **changes: bytes) -> list[object]:
        """A folder of an experiment that was begun, with other files in its checkpoint."""
        manifest = self.put("t.jsonl", row(text="abba"))
        self.sound()
        path = write_recipe(self.top / "r.yaml", manifest, n_steps=1, warmup_steps=1)
        recipe = dump_recipe(load_recipe(path)).encode()
        put(self.out / "recipe.yaml", recipe)
        whole = {"model.safetensors": self.whole["model.safetensors"], "learner.safetensors": tensors("{}")}
        whole["state.json"] = json.dumps({"data": Utterances([manifest]).fingerprint, "step": 1}).encode()
        files = whole | {name.replace("_", "."): content for name, content in changes.items()}
        step = self.out / "checkpoints" / "step-00000001"
        write_directory(step, {name: writer(content) for name, content in files.items()})
        return ["train", path, "--out", self.out]


Case = tuple[Callable[[Place], list[object]], int, str]
"""What makes the files and the command, the exit status, and what is said (of stdout, where the status is 0)."""
