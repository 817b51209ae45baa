"""Which maps a picture shows."""

import numpy as np
import pytest
from sights import sight_of

from asr.recognizer.pictures.maps import ALL, View, maps_of
from asr.recognizer.sight import SightError

TOKENS = ["▁one", "▁two", "▁three", "▁four"]
PLACES = [(layer, head) for layer in (1, 2, 3) for head in (1, 2)]
NAMES = [f"layer {layer} head {head}" for layer, head in PLACES]
SHARP = [0.0, 1.0, 30.0, 2.0, 0.1, 5.0]
SIX = sight_of(TOKENS, heads=NAMES, sharpness=SHARP, listener=(5, 2))


def titles(view: View) -> list[str]:
    return [shown.title for shown in maps_of(SIX, view)]


def test_few_heads_are_all_shown_in_their_order():
    sight = sight_of(TOKENS, heads=["head 1", "head 2"], sharpness=[0.0, 9.0])
    maps = maps_of(sight, ALL)
    assert [shown.title for shown in maps] == ["head 1", "head 2"]
    assert all(np.array_equal(shown.weights, weights) for shown, weights in zip(maps, sight.attention, strict=True))


def test_of_many_heads_those_that_follow_the_speech_best_come_first():
    shown = titles(ALL)
    assert shown[0].startswith("layer 2 head 1") and "4 of 6 heads" in shown[0]
    assert shown[1:] == ["layer 3 head 2", "layer 2 head 2", "layer 1 head 2"]


def test_any_layer_and_any_head():
    assert titles(View(layer=2)) == NAMES[2:4]
    assert titles(View(head=2)) == NAMES[1::2]
    assert titles(View(3, 1)) == ["layer 3 head 1"]
    assert np.array_equal(maps_of(SIX, View(3, 1))[0].weights, SIX.attention[4])


def test_heads_without_a_layer_in_their_names_are_one_layer():
    sight = sight_of(TOKENS, heads=["fine", "coarse"])
    assert [shown.title for shown in maps_of(sight, View(layer=1))] == ["fine", "coarse"]
    assert [shown.title for shown in maps_of(sight, View(head=2))] == ["coarse"]


def test_the_listener_layer_by_layer_or_head_by_head():
    shown = maps_of(SIX, View(of_listener=True))
    assert [each.title for each in shown] == [f"listener layer {n} of 5, mean of 2 heads" for n in (1, 2, 4, 5)]
    assert np.allclose(shown[2].weights, SIX.listener[3].mean(0))
    assert titles(View(layer=4, of_listener=True)) == ["listener layer 4 head 1", "listener layer 4 head 2"]
    assert titles(View(head=2, of_listener=True)) == [f"listener layer {n} head 2" for n in range(1, 6)]
    (one,) = maps_of(SIX, View(5, 2, of_listener=True))
    assert np.array_equal(one.weights, SIX.listener[4, 1]) and one.rows == "states"


def test_rollout_goes_through_all_layers():
    (states,) = maps_of(SIX, View(of_listener=True, rollout=True))
    (tokens,) = maps_of(SIX, View(rollout=True))
    assert states.rows == "states" and states.weights.shape == SIX.listener.shape[2:]
    layers = SIX.attention.reshape(3, 2, *SIX.attention.shape[1:]).mean(1)
    through = np.einsum("l,lus,st->ut", [1 / 7, 2 / 7, 4 / 7], layers, states.weights)
    assert tokens.rows == "tokens" and np.allclose(tokens.weights, through, atol=1e-6)


@pytest.mark.parametrize(
    ("view", "message"),
    [
        (View(layer=4), "layer 4: the speller's attention has layers 1 to 3"),
        (View(layer=1, head=3), "head 3: the speller's attention has heads 1 to 2"),
        (View(layer=6, of_listener=True), "layer 6: the listener's self-attention has layers 1 to 5"),
        (View(head=3, of_listener=True), "head 3: the listener's self-attention has heads 1 to 2"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(view, message):
    with pytest.raises(SightError, match=f"^{message}$"):
        maps_of(SIX, view)


def test_one_layer_is_named_as_such():
    with pytest.raises(SightError, match=r"^layer 2: the speller's attention has one layer$"):
        maps_of(sight_of(TOKENS), View(layer=2))
