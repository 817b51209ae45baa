"""What the trainer asks after every so many steps: how good is the model, and has its attention learnt to align?"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asr.audio.read import read_audio
from asr.corpora.manifest import Utterance
from asr.dataset.batches import pad
from asr.models.asr_model import AsrModel
from asr.models.objective import history_of
from asr.ranks.group import Ranks
from asr.recognizer.decode import listen
from asr.recognizer.inspect import draw
from asr.scoring.alignment import alignment_health
from asr.scoring.corpus import score
from asr.search.greedy import greedy_search
from asr.text.normalize import normalize
from asr.text.tokenizer import Tokenizer
from asr.training.trainer import Validation


class Validator:
    """Decodes dev greedily by the speller alone, and looks at where it attends when told the true tokens.

    Args:
        model: The one in training.
        tokenizer: Of the run.
        dev: Its development set.
        batch_s: Padded seconds of audio decoded at once.
        pictures: Folder for pictures of attention on the longest dev utterance.
        ranks: The processes that share the work; all of them get the same result.
    """

    def __init__(
        self,
        model: AsrModel,
        tokenizer: Tokenizer,
        dev: Sequence[Utterance],
        batch_s: float,
        pictures: Path,
        ranks: Ranks,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.dev = dev
        self.batch_s = batch_s
        self.pictures = pictures
        self.ranks = ranks
        self.references = [tokenizer.encode(utterance.text) for utterance in dev]

    def __call__(self, step: int) -> Validation:
        """Validates the model as it stands; `step` names the picture."""
        hypotheses: dict[int, tuple[int, ...]] = {}
        weights: dict[int, np.ndarray] = {}
        for indices, states, state_lens in listen(self.model, self.dev, self.batch_s):
            found = greedy_search(self.model, states, state_lens)
            hypotheses.update((index, hypothesis.tokens) for index, hypothesis in zip(indices, found, strict=True))
            weights.update(zip(indices, self._attention(indices, states, state_lens), strict=True))
        order = range(len(self.dev))
        health = alignment_health([weights[i] for i in order], [hypotheses[i] for i in order], self.references)
        scored = score(
            {utterance.id: normalize(utterance.text) for utterance in self.dev},
            {self.dev[i].id: normalize(self.tokenizer.decode(hypotheses[i])) for i in order},
        )
        return Validation(scored.wer, {"cer": scored.cer, **asdict(health)}, health.verdict(), self._picture(step))

    def _attention(self, indices: list[int], states: Tensor, state_lens: Tensor) -> list[np.ndarray]:
        """Weights (U, S) of each utterance of a batch in a teacher-forced pass."""
        references = [self.references[index] for index in indices]
        tokens, token_lens = pad([torch.tensor(reference, dtype=torch.int64) for reference in references])
        with torch.inference_mode():
            history = history_of(tokens.to(states.device), self.tokenizer.sos)
            spelling = self.model.speller(history, self.model.speller.memory(states, state_lens))
        rows = zip(spelling.weights.cpu().numpy(), token_lens.tolist(), state_lens.tolist(), strict=True)
        return [weights[:n_tokens, :n_states] for weights, n_tokens, n_states in rows]

    def _picture(self, step: int) -> Path:
        index = max(range(len(self.dev)), key=lambda i: self.dev[i].duration_s)
        shown = self.dev[index]
        path = self.pictures / f"step-{step:08d}.png"
        samples = read_audio(shown.audio, start_s=shown.start_s, duration_s=shown.duration_s)
        draw(self.model, self.tokenizer, samples, self.references[index], path)
        return path
