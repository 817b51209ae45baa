import torch

from asr.search.beam import SearchSettings, beam_search
from tests.search.fakes import collate
from tests.search.laws import HashSpeller, Models, drawn


def test_counts_the_states_that_were_looked_at() -> None:
    """From half a look on, in all steps together, that of the end included; the law of exhaustive search asks more."""
    batch = collate(drawn(3, 5, 9, 4, 15), extra=2)
    search = SearchSettings(4, 0.0, n_best=4, coverage_bonus=0.4)
    speller = HashSpeller(9)
    results = beam_search(Models(9), *batch, search)
    assert max(n_best[0].scores["coverage"] for n_best in results) > 0
    for b, n_best in enumerate(results):
        memory = speller.memory(batch[0][b : b + 1], batch[1][b : b + 1])
        for found in n_best:
            state, looked = speller.start(memory, 1), torch.zeros(1)
            for token in (2, *found.tokens):
                _, weights, state = speller.step(torch.tensor([[token]]), state, memory, look=True)
                looked = looked + weights[0, 0].mean(0)
            assert found.scores["coverage"] == (looked > 0.5).sum()
            assert found.scores["coverage"] <= batch[1][b]
            assert abs(found.score - found.scores["attention"] - 0.4 * found.scores["coverage"]) < 1e-9
