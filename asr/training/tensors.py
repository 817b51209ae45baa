"""Tensors and training state on disk without pickle: safetensors for the numbers, JSON for the rest."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from asr.training.checkpoint import CheckpointError


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes tensors as safetensors; equal tensors give equal bytes, and shared memory is stored once per tensor.

    Raises:
        CheckpointError: The disk refused; the message names the file and why.
    """
    seen: set[int] = set()
    plain: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        value = tensor.detach().cpu().contiguous()
        storage = value.untyped_storage().data_ptr()
        plain[name] = value.clone() if storage in seen else value
        seen.add(storage)
    try:
        path.touch()
        mode = path.stat().st_mode
        save_file(plain, path)  # puts a file that only its owner may read in place of ours
        path.chmod(mode)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: could not be written ({error}); an earlier one is kept as it was") from error


def load_tensors(path: Path, device: str | torch.device = "cpu") -> dict[str, Tensor]:
    """Reads what `save_tensors` wrote into memory of its own: the file may be removed as soon as this returns.

    Raises:
        CheckpointError: The file is missing or is not whole safetensors.
    """
    try:
        # load_file maps the file; a file server that loses it would end the process at the next touch of a tensor.
        return {name: tensor.clone() for name, tensor in load_file(path, device=str(device)).items()}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot be read as safetensors ({error})") from error


def stored_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor in a file, by name; none is read.

    Raises:
        CheckpointError: As `load_tensors`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot be read as safetensors ({error})") from error


def pack_state(state: Any, name: str = "state") -> tuple[dict[str, Tensor], Any]:
    """Splits a nested state (``optimizer.state_dict()``, random-generator states) into tensors and JSON values.

    Args:
        state: Dicts (keys str or int), lists, tuples, tensors, str, int, float, bool and None, nested in any way.
        name: Prefix of the tensors' names.

    Returns:
        The tensors by dotted name, and a value that ``json`` can write; `unpack_state` puts both together again.

    Raises:
        CheckpointError: The state holds something else, named by its dotted place.
    """
    tensors: dict[str, Tensor] = {}

    def pack(value: Any, place: str) -> Any:
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, Tensor):
            while place in tensors:  # {"a": {"b": x}, "a.b": y}, or the keys 1 and "1"
                place += "'"
            tensors[place] = value
            return {"tensor": place}
        if isinstance(value, (list, tuple)):
            packed = [pack(each, f"{place}.{i}") for i, each in enumerate(value)]
            return packed if isinstance(value, list) else {"tuple": packed}
        if isinstance(value, dict) and all(type(key) in (str, int) for key in value):
            return {"dict": [[key, pack(each, f"{place}.{key}")] for key, each in value.items()]}
        raise CheckpointError(f"{place}: a {type(value).__name__} cannot be stored in a checkpoint")

    return tensors, pack(state, name)


def unpack_state(tensors: Mapping[str, Tensor], packed: Any) -> Any:
    """Rebuilds the state that `pack_state` split.

    Raises:
        CheckpointError: A tensor is missing or the JSON is not of that form.
    """
    if isinstance(packed, list):
        return [unpack_state(tensors, each) for each in packed]
    if not isinstance(packed, dict):
        return packed
    match packed:
        case {"tensor": str(name)} if name in tensors:
            return tensors[name]
        case {"tuple": list(values)}:
            return tuple(unpack_state(tensors, each) for each in values)
        case {"dict": list(pairs)} if all(_is_pair(pair) for pair in pairs):
            return {key: unpack_state(tensors, value) for key, value in pairs}
    raise CheckpointError(f"stored state is damaged or its tensors are missing at {str(packed)[:80]}")


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and type(pair[0]) in (str, int)
