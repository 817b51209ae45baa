"""What search finds for a training batch, and how many words it gets wrong: for training on just those errors."""

import torch
from torch import Tensor

from asr.dataset.batches import pad
from asr.models.asr_model import AsrModel
from asr.models.min_wer import NBest
from asr.scoring.errors import word_errors
from asr.search.beam import SearchSettings
from asr.search.methods import search
from asr.text.normalize import normalize
from asr.text.tokenizer import Tokenizer


class NBestSearch:
    """Beam search over a training batch, as its features were varied, with the model as it stands.

    Args:
        model: The one in training.
        tokenizer: Of the run.
        settings: How to search; their `n_best` is the length N of the lists.
    """

    def __init__(self, model: AsrModel, tokenizer: Tokenizer, settings: SearchSettings) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.settings = settings

    def __call__(self, features: Tensor, frame_lens: Tensor, tokens: Tensor, token_lens: Tensor) -> NBest:
        """Searches without dropout: features (B, T, M), tokens (B, U) and their lengths, of a batch."""
        was_training = self.model.training
        self.model.eval()
        with torch.inference_mode():
            states, state_lens = self.model.encode(features, frame_lens)
        lists: list[list[tuple[int, ...]]] = [[()]] * len(tokens)
        if states.isfinite().all():  # if not, the loss will tell
            found = search(self.model, states, state_lens, self.settings)
            lists = [[hypothesis.tokens for hypothesis in n_best] for n_best in found]
        self.model.train(was_training)
        references = [row[:n] for row, n in zip(tokens.tolist(), token_lens.tolist(), strict=True)]
        return self._table(lists, references, features.device)

    def _table(self, lists: list[list[tuple[int, ...]]], references: list[list[int]], device: torch.device) -> NBest:
        """Lays lists of different lengths out as tensors, empty hypotheses in the free places."""
        shape = (len(lists), self.settings.n_best)
        filled = [[*tokens, *[()] * (shape[1] - len(tokens))] for tokens in lists]
        tokens, lens = pad([torch.tensor(each, dtype=torch.int64) for row in filled for each in row])
        n_errors = [
            [self._n_errors(reference, each) for each in row] for reference, row in zip(references, filled, strict=True)
        ]
        found = NBest(
            tokens.unflatten(0, shape),
            lens.unflatten(0, shape),
            torch.tensor([[place < len(row) for place in range(shape[1])] for row in lists]),
            torch.tensor(n_errors),
        )
        return NBest._make(each.to(device) for each in found)

    def _n_errors(self, reference: list[int], hypothesis: tuple[int, ...]) -> int:
        texts = (normalize(self.tokenizer.decode(tokens)) for tokens in (reference, hypothesis))
        return word_errors(*texts).n_errors
