"""The model that comes with the package, for whoever names none."""

import json
from collections.abc import Sequence
from pathlib import Path

HOME = Path(__file__).parents[1] / "english"
"""Where it lies: README.md, its card; `model`, a model folder; and perhaps `lm`, the language model of its search."""


class DefaultModelError(ValueError):
    """No model was named and none came with the package; the message says what to do."""


def default_model_folder() -> Path:
    """The folder of the model that comes with the package.

    Raises:
        DefaultModelError: This installation has none.
    """
    folder = HOME / "model"
    if not folder.is_dir():
        raise DefaultModelError(
            f"no model was named, and none came with this package (there is no {folder}); name one with "
            "--model EXP/best, or train one: scripts/quickstart makes exp/digits/best in ten minutes"
        )
    return folder


def choose_model(folder: str | Path | None, search: Sequence[str]) -> tuple[Path, list[str]]:
    """Takes the model that was named, or else the package's, with its own language model if the search names none.

    Args:
        folder: A model folder; None where none was named.
        search: Changes to the recipe's search section.

    Returns:
        The model's folder, and all changes to its search section.

    Raises:
        DefaultModelError: See `default_model_folder`.
    """
    if folder is not None:
        return Path(folder), list(search)
    chosen, lm = default_model_folder(), HOME / "lm"
    if lm.is_dir() and not any(change.partition("=")[0].strip() == "lm" for change in search):
        return chosen, [f"lm={json.dumps(str(lm))}", *search]
    return chosen, list(search)
