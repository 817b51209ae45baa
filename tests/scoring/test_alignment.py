"""Alignment health: a walk along the utterance is healthy, everything else raises the alarm."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.scoring.alignment import AlignmentHealth, Attended, alignment_health, attended, find_loop, has_loop

SIZES = [(5, 12), (12, 14), (20, 100), (60, 90), (200, 400)]
TOKENS = list(range(4, 30))


def health(weights: np.ndarray, hypothesis: list[int] = TOKENS) -> AlignmentHealth:
    return alignment_health([attended(weights[:, None], hypothesis, TOKENS)])


def bumps(positions: np.ndarray, n_states: int, width: float) -> np.ndarray:
    weights = np.exp(-0.5 * ((np.arange(n_states) - positions[:, None]) / width) ** 2)
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("n_tokens", "n_states"), SIZES)
@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (0.25, 0.75)])
@pytest.mark.parametrize("seed", range(3))
def test_a_walk_is_healthy_also_between_silences_and_with_jitter(n_tokens, n_states, start, end, seed):
    jitter = np.random.default_rng(seed).normal(0, 0.2 * n_states * (end - start) / n_tokens, n_tokens)
    positions = np.linspace(start, end, n_tokens) * (n_states - 1) + jitter
    result = health(bumps(positions, n_states, 0.02 * n_states + 0.3))
    assert result.verdict() is None, result
    # A last step that looks all over the utterance, as end of sentence may, does not matter.
    weights = bumps(positions, n_states, 0.02 * n_states + 0.3)
    weights[-1] = 1 / n_states
    if n_tokens >= 12:
        assert health(weights).verdict() is None, health(weights)


def test_the_perfect_diagonal_has_the_extreme_values():
    result = health(np.eye(50))
    assert (result.monotonicity, result.loop_share, result.length_ratio) == (1.0, 0.0, 1.0)
    assert result.coverage == pytest.approx(1.0)
    assert result.entropy == pytest.approx(0.0)


@pytest.mark.parametrize(("n_tokens", "n_states"), SIZES)
@pytest.mark.parametrize("seed", range(3))
def test_attention_that_has_learnt_nothing_alarms(n_tokens, n_states, seed):
    rng = np.random.default_rng(seed)
    stuck = np.full(n_tokens, rng.integers(n_states))
    cases = {
        "uniform": np.full((n_tokens, n_states), 1 / n_states),
        "noisy uniform": rng.dirichlet(np.full(n_states, 50.0), n_tokens),
        "stuck": bumps(stuck, n_states, 0.4),
        "stuck and jittering": bumps(stuck + rng.normal(0, 0.01 * n_states, n_tokens), n_states, 0.4),
        "backwards": np.flipud(bumps(np.linspace(0, n_states - 1, n_tokens), n_states, 0.5)),
        "not a number": np.full((n_tokens, n_states), np.nan),
    }
    if n_tokens >= 12:  # five random places may well be in order
        cases["random places"] = bumps(rng.uniform(0, n_states - 1, n_tokens), n_states, 0.5)
        cases["random weights"] = rng.dirichlet(np.ones(n_states), n_tokens)
    for name, weights in cases.items():
        alarm = health(weights).verdict()
        assert alarm, name
        assert "CTC" in alarm
        assert "nan" not in alarm


def test_random_places_alarm_over_a_set_of_short_utterances():
    rng = np.random.default_rng(0)
    weights = [bumps(rng.uniform(0, 19, 5), 20, 0.5) for _ in range(50)]
    assert alignment_health([attended(each[:, None], TOKENS, TOKENS) for each in weights]).verdict()


def test_loops_and_lengths_alarm():
    good = np.eye(26)
    assert "loop" in str(health(good, [4, 5, 6] * 6).verdict())
    assert "0.00 times" in str(health(good, []).verdict())
    assert "times the tokens" in str(health(good, list(range(99))).verdict())
    repeated = [7, 8, 9] * 5
    assert alignment_health([attended(good[:, None], repeated, repeated)]).loop_share == 0.0  # the speaker did say so


@settings(deadline=None)  # two busy cores
@given(st.lists(st.integers(0, 2), max_size=30))
def test_loops_are_found_where_the_definition_says(tokens):
    expected = any(
        tokens[i : i + 4 * n] == tokens[i : i + n] * 4
        for n in range(1, 9)
        for i in range(len(tokens))
        if i + 4 * n <= len(tokens)
    )
    assert has_loop(tokens) == expected
    if expected:
        start, end = find_loop(tokens)
        n_unit = (end - start) // 4
        assert tokens[start:end] == tokens[start : start + n_unit] * 4


def test_nothing_to_measure_is_no_alarm():
    assert alignment_health([]).verdict() is None
    assert alignment_health([attended(np.ones((1, 2, 5)) / 5, [4], [4])]).verdict() is None


def listening(gains: list[float | None]) -> AlignmentHealth:
    """Utterances of nine tokens, attended to perfectly, that gain so much from their own recordings."""
    walk = np.eye(9)[:, None]
    return alignment_health([attended(walk, TOKENS[:9], TOKENS[:9], gain) for gain in gains])


def test_the_gain_is_per_token_with_its_standard_error():
    found = listening([1.0, 3.0, 2.0, None])
    assert found.listening_gain == pytest.approx(0.2)
    assert found.listening_error == pytest.approx(np.std([0.1, 0.3, 0.2], ddof=1) / np.sqrt(3))


@pytest.mark.parametrize(
    ("gains", "deaf"),
    [
        ([0.02, -0.01, 0.03] * 9, True),
        ([5.0, 6.0, 4.0] * 9, False),
        ([5.0, -4.0, 9.0, -3.0], True),
        ([None] * 9, False),
    ],
    ids=["nothing", "plenty", "uncertain", "unknown"],
)
def test_a_speller_that_does_not_listen_alarms_early(gains, deaf):
    assert listening(gains).verdict(run_share=0.14) is None
    assert ("does not listen" in str(listening(gains).verdict(run_share=0.15))) is deaf
    assert ("does not listen" in str(listening(gains).verdict(run_share=1.0, wer=0.1))) is deaf


def test_bad_walks_alarm_later_and_only_while_words_are_wrong():
    stuck = np.zeros((9, 1, 9))
    stuck[..., 3] = 1.0
    found = alignment_health([attended(stuck, TOKENS[:9], TOKENS[:9], 20.0)])
    assert found.verdict(run_share=0.59, wer=1.0) is None
    assert found.verdict(run_share=0.6, wer=0.5) is None
    assert "not learnt to align" in str(found.verdict(run_share=0.6, wer=0.51))


def odd_heads(rng: np.random.Generator, n_tokens: int, n_states: int) -> list[np.ndarray]:
    """What heads do that do not align: two are stuck, one looks everywhere, two look anywhere, one walks backwards."""
    places = np.linspace(0, n_states - 1, n_tokens)
    return [
        bumps(np.zeros(n_tokens), n_states, 0.3),
        bumps(np.full(n_tokens, n_states - 1.0), n_states, 0.3),
        np.full((n_tokens, n_states), 1 / n_states),
        bumps(rng.uniform(0, n_states - 1, n_tokens), n_states, 0.5),
        rng.dirichlet(np.ones(n_states), n_tokens),
        bumps(places[::-1], n_states, 0.5),
    ]


def many_heads(n_utterances: int, n_walking: int) -> AlignmentHealth:
    """A set whose spellers have four times the odd heads, and one more that walks in some of the utterances."""
    rng = np.random.default_rng(0)
    records = []
    for number in range(n_utterances):
        n_tokens, n_states = rng.integers(8, 20), rng.integers(40, 80)
        heads = [head for _ in range(4) for head in odd_heads(rng, n_tokens, n_states)]
        walk = bumps(np.linspace(0, n_states - 1, n_tokens), n_states, 1.0)
        heads.append(walk if number < n_walking else rng.permutation(walk))
        records.append(attended(np.stack(heads, 1), TOKENS, TOKENS))
    return alignment_health(records)


def test_one_head_that_walks_is_enough_however_odd_the_others():
    found = many_heads(20, n_walking=20)
    assert found.verdict() is None
    assert found.monotonicity == 1.0
    assert found.coverage > 0.9


def test_no_head_walks_by_chance_and_none_by_turns():
    assert "not learnt to align" in str(many_heads(20, n_walking=0).verdict())
    assert "not learnt to align" in str(many_heads(20, n_walking=6).verdict())


def test_the_mean_of_heads_is_not_asked():
    """Two heads that walk against each other: their mean stands still in the middle."""
    walk = bumps(np.linspace(0, 49, 20), 50, 1.0)
    both = np.stack([walk[::-1], walk], 1)
    assert health(both.mean(1)).verdict()
    assert alignment_health([attended(both, TOKENS, TOKENS)]).verdict() is None


def test_a_translation_may_go_back_but_must_listen_everywhere():
    back = alignment_health([attended(np.eye(9)[::-1, None], TOKENS[:9], TOKENS[:9], 20.0)])
    assert "go back" in str(back.verdict())
    assert back.verdict(forward=False) is None
    stuck = alignment_health([attended(np.eye(1, 9).repeat(9, 0)[:, None], TOKENS[:9], TOKENS[:9], 20.0)])
    assert "it spans" in str(stuck.verdict(forward=False))


def test_what_processes_tell_each_other_survives_json():
    record = attended(np.eye(5)[:, None], [4, 5], [4, 5, 6], 1.25)
    assert Attended(**json.loads(json.dumps(asdict(record)))) == record
