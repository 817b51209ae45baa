"""N-gram scores against the package that everybody uses; `scripts/prove_ngram` does the same on real text."""

from pathlib import Path

import pytest
import torch

from asr.models.ngram import NgramModel
from asr.text.arpa import LN_10, Arpa, read_arpa, write_arpa
from tests.models.literal_ngram import EOS, SOS, UNK
from tests.text.test_kneser_ney import N_TOKENS, draw_text, estimate


@pytest.mark.parametrize(("order", "prune_from"), [(2, None), (3, None), (5, 3)])
def test_sentences_score_as_they_do_there(order: int, prune_from: int | None, tmp_path: Path) -> None:
    kenlm = pytest.importorskip("kenlm", reason="compares with the kenlm package: pip install kenlm")
    names = ["<unk>", "<s>", "</s>", *"abcdefghi"]
    tables = estimate(draw_text(1, 60), order, prune_from)
    for table in tables:
        table.rows[:] -= 1
    path = tmp_path / "a.arpa"
    write_arpa(path, Arpa(tuple(names), tables))
    model = NgramModel(read_arpa(path), range(1, N_TOKENS), N_TOKENS, SOS, UNK)
    theirs = kenlm.Model(str(path))
    for sentence in draw_text(2, 100):
        state, total = torch.tensor([model.start]), 0.0
        for token in (*sentence, EOS):
            total += model.log_probs(state, torch.tensor([token])).item()
            state = model.after(state, torch.tensor([token]))
        said = " ".join(names[token - 1] for token in sentence)
        assert total == pytest.approx(theirs.score(said, bos=True, eos=True) * LN_10, rel=1e-5)
