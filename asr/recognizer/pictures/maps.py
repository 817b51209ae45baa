"""Which maps of attention a picture shows: the heads that are asked for, or those that follow the speech best."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from asr.models.attention.rollout import rollout, rollout_from_tokens
from asr.recognizer.sight import Sight, SightError
from asr.scoring.alignment import attended, walking

MAX_UNASKED = 4  # maps that are drawn where nobody said which
_NAME = re.compile(r"layer (\d+) head (\d+)")


@dataclass(frozen=True)
class View:
    """What is to be seen.

    Attributes:
        layer: Of the attention, from 1; None for all.
        head: Of each layer, from 1; None for all.
        of_listener: The listener's self-attention instead of the speller's attention.
        rollout: One map through all layers and heads.
    """

    layer: int | None = None
    head: int | None = None
    of_listener: bool = False
    rollout: bool = False


ALL = View()


@dataclass(frozen=True, eq=False)
class Map:
    """Attention of one head, or of several together.

    Attributes:
        title: Whose.
        weights: (R, S) row r says how strongly each state was looked at.
        rows: What looks: the U + 1 tokens, or the S states themselves.
    """

    title: str
    weights: np.ndarray
    rows: Literal["tokens", "states"] = "tokens"


def maps_of(sight: Sight, view: View) -> list[Map]:
    """Picks what is to be drawn.

    Raises:
        SightError: No such layer or head.
    """
    if view.rollout:
        return [_rollout(sight, view.of_listener)]
    return _listener_maps(sight, view) if view.of_listener else _speller_maps(sight, view)


def _speller_maps(sight: Sight, view: View) -> list[Map]:
    shown = _pick(_places(sight.heads), view, "the speller's attention")
    note = ""
    if len(shown) > MAX_UNASKED and view.layer is None and view.head is None:
        note = f" (the {MAX_UNASKED} of {len(shown)} heads that follow the speech best)"
        shown = by_alignment(sight.attention)[:MAX_UNASKED]
    maps = [Map(sight.heads[index], sight.attention[index]) for index in shown]
    return [Map(maps[0].title + note, maps[0].weights), *maps[1:]]


def _listener_maps(sight: Sight, view: View) -> list[Map]:
    """As asked; where nobody said which, the mean over the heads of a few layers, from the lowest to the highest."""
    assert sight.listener is not None
    n_layers, n_heads = sight.listener.shape[:2]
    if view.layer is None and view.head is None:
        shown = np.linspace(0, n_layers - 1, min(n_layers, MAX_UNASKED)).round().astype(int)
        title = f"listener layer {{}} of {n_layers}, mean of {n_heads} heads"
        return [Map(title.format(layer + 1), sight.listener[layer].mean(0), "states") for layer in shown]
    places = [(layer, head) for layer in range(1, n_layers + 1) for head in range(1, n_heads + 1)]
    names = [places[index] for index in _pick(places, view, "the listener's self-attention")]
    return [
        Map(f"listener layer {layer} head {head}", sight.listener[layer - 1, head - 1], "states")
        for layer, head in names
    ]


def _rollout(sight: Sight, of_listener: bool) -> Map:
    assert sight.listener is not None
    flow = rollout(torch.from_numpy(sight.listener).double())
    if of_listener:
        return Map("rollout through the listener's layers", flow.float().numpy(), "states")
    layers: dict[int, list[np.ndarray]] = {}
    for (layer, _), weights in zip(_places(sight.heads), sight.attention, strict=True):
        layers.setdefault(layer, []).append(weights)
    means = np.stack([np.mean(heads, axis=0) for _, heads in sorted(layers.items())])
    title = "rollout, from tokens through the layers of speller and listener"
    return Map(title, rollout_from_tokens(torch.from_numpy(means).double()[:, None], flow).float().numpy())


def _places(names: Collection[str]) -> list[tuple[int, int]]:
    """Layer and head of each, from 1, as their names say; heads of other names are counted as one layer's."""
    found = [_NAME.fullmatch(name) for name in names]
    return [(int(match[1]), int(match[2])) if match else (1, number) for number, match in enumerate(found, 1)]


def _pick(places: list[tuple[int, int]], view: View, whose: str) -> list[int]:
    _check(whose, "layer", view.layer, {layer for layer, _ in places})
    _check(whose, "head", view.head, {head for layer, head in places if view.layer in (None, layer)})
    return [
        index for index, (layer, head) in enumerate(places) if view.layer in (None, layer) and view.head in (None, head)
    ]


def _check(whose: str, what: str, asked: int | None, there: set[int]) -> None:
    if asked is not None and asked not in there:
        has = f"has {what}s 1 to {max(there)}" if len(there) > 1 else f"has one {what}"
        raise SightError(f"{what} {asked}: {whose} {has}")


def by_alignment(attention: np.ndarray) -> list[int]:
    """Orders heads (H, U, S): first those that walk along the utterance, sharply and from one end to the other."""
    found = attended(attention.transpose(1, 0, 2), (), ())
    if not found.n_steps:
        return list(range(len(attention)))
    heads = zip(found.n_forward, found.coverage, found.entropy, strict=True)
    ranks = [walking(n_forward / found.n_steps, coverage, entropy) for n_forward, coverage, entropy in heads]
    return sorted(range(len(ranks)), key=lambda index: ranks[index], reverse=True)
