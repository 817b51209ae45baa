"""A new run that starts from a trained model: which weights and rows of tokens it takes, and which begin afresh."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from asr.build import Model
from asr.models.listening_model import ListeningModel
from asr.recipe.load import RecipeError
from asr.recipe.schema import Recipe
from asr.recognizer.model_folder import RECIPE_FILE, load_model
from asr.text.labels import Labels
from asr.text.tokenizer import Tokenizer
from asr.training.checkpoint import CheckpointError

TOKEN_LAYERS = frozenset({"embedding", "to_logits", "ctc_head"})
"""What layers are called whose weights have a row for each token."""

_MOST_NAMED = 12  # on a line


@dataclass(frozen=True)
class WarmStart:
    """What became of a trained model's weights.

    Attributes:
        lines: To be read: what was copied and what was not.
        is_whole: Whether no weight and no row of the new model began afresh.
    """

    lines: tuple[str, ...]
    is_whole: bool


def start_from(folder: Path, recipe: Recipe, model: Model, vocabulary: Tokenizer | Labels) -> WarmStart:
    """Gives a new model what it shares with a trained one.

    A weight is copied where name and shape agree, and listener, attention or speller, whichever it is part of, is of
    the same kind. Of layers with a row for each token (embedding, output, CTC), the rows of tokens that both
    vocabularies have are copied, whatever their numbers. All else keeps its fresh draw.

    Args:
        folder: `best` of an experiment.
        recipe: Of the new run.
        model: Of the new run; it is changed.
        vocabulary: Of the new run.

    Raises:
        CheckpointError: The folder is no whole model, or none of its weights fits.
        RecipeError: The recipe in it is not one, or features differ: weights that learnt from others mean nothing here.
    """
    their_recipe, their_vocabulary, trained = load_model(folder)
    if isinstance(model, ListeningModel) and isinstance(trained, ListeningModel):
        _check_features(folder, recipe, their_recipe)
    rows = _shared_rows(vocabulary, their_vocabulary)
    mine, theirs = model.state_dict(), trained.state_dict()
    kinds = _other_kinds(recipe, their_recipe)
    fates = {name: _fate(name, mine[name], theirs.get(name), kinds) for name in mine}
    if _COPIED not in fates.values():
        reasons = "\n".join(_listed(fates, mine, set(fates.values()) - {_ROWS}))
        raise CheckpointError(
            f"training.init_from = {folder}: none of its weights fits; take the model section of its {RECIPE_FILE}, or "
            f"parts of it\n{reasons}"
        )
    for name, fate in fates.items():
        if fate == _COPIED:
            mine[name].copy_(theirs[name])
        elif fate == _ROWS:
            mine[name][list(rows.values())] = theirs[name][list(rows)].to(mine[name])
    head, *lines = _told(fates, mine, rows.values(), vocabulary)
    left = [name for name in theirs if name not in mine and not name.startswith(tuple(kinds))]
    if left:
        lines.append(f"  left out, not here: {_some(_collapsed(left, theirs))}")
    is_whole = set(fates.values()) <= {_COPIED, _ROWS} and len(rows) == vocabulary.n_tokens
    return WarmStart((f"starting from {folder}: {head}", *lines), is_whole)


_COPIED, _ROWS = "copied", "rows"


def _check_features(folder: Path, recipe: Recipe, theirs: Recipe) -> None:
    mine, there = recipe.features.model_dump(), theirs.features.model_dump()
    faults = [
        f"features.{key} = {value}: training.init_from = {folder} heard {key} = {there[key]}; give features.{key}="
        f"{there[key]}, or leave init_from out"
        for key, value in mine.items()
        if value != there[key]
    ]
    if faults:
        raise RecipeError("\n".join(faults))


def _shared_rows(mine: Tokenizer | Labels, theirs: Tokenizer | Labels) -> dict[int, int]:
    """Numbers of what both vocabularies have: there -> here."""
    if type(mine) is not type(theirs):
        return {}
    here = {piece: number for number, piece in enumerate(mine.pieces(range(mine.n_tokens)))}
    there = theirs.pieces(range(theirs.n_tokens))
    return {number: here[piece] for number, piece in enumerate(there) if piece in here}


def _other_kinds(recipe: Recipe, theirs: Recipe) -> dict[str, str]:
    """Parts of the model that are of another kind there: how their weights' names begin -> the difference."""
    here, there = recipe.model, theirs.model
    parts = {
        "listener.": (here.listener, there.listener),
        "speller.": (here.speller, there.speller),
        "speller.attention.": (here.attention, there.attention),
    }
    return {
        prefix: f"of another kind ({section.kind} there, {own.kind} here)"
        for prefix, (own, section) in parts.items()
        if own and section and own.kind != section.kind
    }


def _fate(name: str, mine: Tensor, theirs: Tensor | None, kinds: Mapping[str, str]) -> str:
    """What becomes of one weight of the new model: `_COPIED`, `_ROWS`, or why it begins afresh."""
    other_kind = next((why for prefix, why in kinds.items() if name.startswith(prefix)), None)
    if other_kind:
        return other_kind
    if theirs is None:
        return "not there"
    layer = name.rpartition(".")[0].rpartition(".")[2]
    if layer in TOKEN_LAYERS and mine.shape[1:] == theirs.shape[1:]:
        return _ROWS
    return _COPIED if mine.shape == theirs.shape else "of another shape"


def _told(
    fates: Mapping[str, str],
    mine: Mapping[str, Tensor],
    rows: Collection[int],
    vocabulary: Tokenizer | Labels,
) -> list[str]:
    """What to read of the new model's weights: a line of sums, then a line for each fate."""
    share = {_COPIED: 1.0, _ROWS: len(rows) / vocabulary.n_tokens}
    n_copied = sum(share.get(fate, 0.0) * mine[name].numel() for name, fate in fates.items())
    n_all = sum(weights.numel() for weights in mine.values())
    lines = [f"{n_copied / 1e6:.2f} of {n_all / 1e6:.2f} M weights copied", *_listed(fates, mine, {_COPIED})]
    if by_token := [name for name, fate in fates.items() if fate == _ROWS]:
        names = ", ".join(_collapsed(by_token, mine))
        lines.append(f"  copied, rows of {len(rows)} of {vocabulary.n_tokens} tokens: {names}")
        if new := sorted(set(range(vocabulary.n_tokens)).difference(rows)):
            lines.append(f"  afresh, rows of the other tokens: {_some(vocabulary.pieces(new), ' ')}")
    return lines + _listed(fates, mine, set(fates.values()) - {_COPIED, _ROWS})


def _listed(fates: Mapping[str, str], mine: Collection[str], chosen: Collection[str]) -> list[str]:
    """A line for each of the chosen fates, with the names of the weights that had it."""
    named = {fate: [name for name in mine if fates[name] == fate] for fate in sorted(chosen)}
    return [
        f"  {fate if fate == _COPIED else f'afresh, {fate}'}: {_some(_collapsed(names, mine))}"
        for fate, names in named.items()
        if names
    ]


def _collapsed(names: Iterable[str], everything: Iterable[str]) -> list[str]:
    """The shortest beginnings of dotted names below which all of everything is among the names."""
    chosen = list(names)
    mixed = {start for name in set(everything) - set(chosen) for start in _starts(name)}
    return list(dict.fromkeys(next(start for start in _starts(name) if start not in mixed) for name in chosen))


def _starts(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _some(names: Collection[str], between: str = ", ") -> str:
    first = list(names)[:_MOST_NAMED]
    return between.join(first) + (f" and {len(names) - len(first)} more" if len(names) > len(first) else "")
