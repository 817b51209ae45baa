"""What scripts/prove_checkpoint tries things on: real checkpoints of a small model, and what counts as found whole."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from asr.training.checkpoint import CheckpointError, verify_directory, write_directory, writer
from asr.training.tensors import load_tensors, pack_state, save_tensors, unpack_state


class Skipped(Exception):
    """This machine cannot do it; the message says why."""


@dataclass
class Tally:
    """Trials of one kind."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, outcome: str, faults: list[str], where: str) -> None:
        """Counts one trial."""
        self.counts[outcome] += 1
        self.wrong += [f"{where}: {fault}" for fault in faults]


@dataclass(frozen=True)
class Snapshot:
    """A model and its optimizer after some steps, as a checkpoint holds them."""

    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    packed: object

    def save(self, path: Path, between: Callable[[], None] = lambda: None) -> None:
        """Writes it as the trainer does; `between` is called before the second file."""

        def optimizer(target: Path) -> None:
            between()
            save_tensors(target, self.optimizer)

        files = {"model.safetensors": lambda target: save_tensors(target, self.model)}
        write_directory(path, {**files, "optimizer.safetensors": optimizer, "state.json": writer(self.state())})

    def state(self) -> bytes:
        """What is no tensor."""
        return json.dumps({"optimizer": self.packed}).encode()

    def sha256(self) -> str:
        """Of every name, type, size and bit."""
        digest = hashlib.sha256(self.state())
        for tensors in (self.model, self.optimizer):
            for name, tensor in sorted(tensors.items()):
                digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
                digest.update(tensor.reshape(-1).contiguous().numpy().tobytes())
        return digest.hexdigest()


def train(n_steps: int) -> list[Snapshot]:
    """A small model's snapshots after steps 1 to `n_steps`."""
    torch.manual_seed(0)
    model = nn.LSTM(20, 24, bidirectional=True)
    optimizer = torch.optim.AdamW(model.parameters())
    snapshots = []
    for _ in range(n_steps):
        optimizer.zero_grad()
        model(torch.randn(6, 2, 20))[0].square().mean().backward()
        optimizer.step()
        tensors, packed = pack_state(optimizer.state_dict(), "optimizer")
        copies = (
            {name: value.detach().clone() for name, value in each.items()} for each in (model.state_dict(), tensors)
        )
        snapshots.append(Snapshot(*copies, packed))
    return snapshots


def load(path: Path) -> Snapshot:
    """Reads a checkpoint as the trainer does: the state is put together and taken apart again."""
    verify_directory(path)
    packed = json.loads((path / "state.json").read_text())["optimizer"]
    state = unpack_state(load_tensors(path / "optimizer.safetensors"), packed)
    return Snapshot(load_tensors(path / "model.safetensors"), *pack_state(state, "optimizer"))


def faults_of(path: Path | None, among: dict[str, Snapshot]) -> list[str]:
    """What is wrong with the checkpoint that was found: it must be one of these, bit for bit."""
    if path is None or path.name not in among:
        return [f"found {path and path.name}, expected {' or '.join(among)}"]
    try:
        return [] if load(path).sha256() == among[path.name].sha256() else [f"{path.name} loads to other bits"]
    except CheckpointError as error:
        return [f"{path.name} does not load: {error}"]
