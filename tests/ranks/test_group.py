import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from launch import launch

from asr.ranks.group import Ranks, join_ranks, launched, unwritten
from asr.ranks.watch import PHASES, Watch, _order

PROGRAM = Path(__file__).with_name("program.py")


@pytest.mark.parametrize("n_ranks", [2, 3])
def test_ranks_agree(n_ranks):
    for status, out, err in launch(PROGRAM, n_ranks, "agree"):
        assert (status, out) == (0, "done\n"), err


def test_what_the_first_leaves_the_others_find(tmp_path):
    for status, out, err in launch(PROGRAM, 3, "take_turns", str(tmp_path / "made")):
        assert (status, out) == (0, "done\n"), err


def test_one_process_is_a_rank_alone():
    with join_ranks(timeout_s=1.0) as ranks:
        assert (ranks.rank, ranks.n_ranks, ranks.is_first) == (0, 1, True)
        assert ranks.share([1, 2, 3]) == [1, 2, 3]
        assert ranks.in_order(["a", "b"]) == ["a", "b"]
        assert ranks.gather((1, 2)) == [[1, 2]], "one process sees what many would: JSON knows no tuples"
        assert ranks.sum(torch.ones(2)).tolist() == [1, 1]
        ranks.at(0, "computing", ["nobody looks"])


@pytest.mark.parametrize("environment", [{}, {"WORLD_SIZE": "1"}])
def test_nothing_is_joined_where_no_launcher_was(environment):
    assert not launched(environment)
    assert launched({"WORLD_SIZE": "2"})


def test_shares_differ_by_one_at_most():
    for n_items in range(20):
        shares = [Ranks(rank, 3).share(range(n_items)) for rank in range(3)]
        assert sorted(item for share in shares for item in share) == list(range(n_items))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_dead_rank_is_named_with_its_utterances():
    results = launch(PROGRAM, 3, "die")
    assert results[1][0] == 9
    for status, out, err in (results[0], results[2]):
        assert status != 0 and not out
        assert "RankError: lost rank 1" in err and "at step 3 computing: utt-3-1" in err


def test_a_stuck_rank_stops_the_others_and_is_named():
    start = time.monotonic()
    results = launch(PROGRAM, 3, "hang", timeout_s=60.0)
    assert time.monotonic() - start < 45.0
    for status, out, err in results:
        assert status == 1 and not out
        assert "no progress for 6 s; rank 1" in err and "at step 3 computing: utt-3-1" in err


def test_a_slow_rank_is_waited_for():
    for status, out, err in launch(PROGRAM, 2, "be_slow"):
        assert (status, out) == (0, "done\n"), err


def test_who_is_behind_follows_the_order_of_a_step():
    places = [{"step": 0, "doing": phase} for phase in PHASES] + [{"step": 1, "doing": PHASES[0]}]
    orders = [_order({})] + [_order(place) for place in places]
    assert orders == sorted(orders) and len(set(orders)) == len(orders)


def test_a_phase_nobody_knows_is_refused():
    store = torch.distributed.HashStore()
    with pytest.raises(ValueError, match="dreaming"):
        Watch(store, 0, 1, 5.0).at(0, "dreaming")


def test_what_dead_processes_left_in_the_store_misleads_nobody():
    store = dist.HashStore()
    for _ in range(3):  # torchrun --max-restarts keeps the store
        with ThreadPoolExecutor(3) as pool:
            joined = list(pool.map(lambda rank: unwritten(store, rank, 3), range(3)))
        assert not joined[0].check(["address"])
        joined[1].set("address", "one")
        assert [each.get("address") for each in joined] == [b"one"] * 3
