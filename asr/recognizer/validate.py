"""What the trainer asks after every so many steps: how good is the model, and has its attention learnt to align?"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from asr.corpora.manifest import Utterance, read_utterance
from asr.dataset.batches import pad
from asr.models.asr_model import AsrModel
from asr.models.objective import history_of, targets_of
from asr.ranks.group import Ranks
from asr.recognizer.decode import listen
from asr.recognizer.pictures.maps import ALL, maps_of
from asr.recognizer.sight import look
from asr.scoring.alignment import Attended, alignment_health, attended
from asr.scoring.corpus import score
from asr.scoring.translation import score_translations
from asr.search.beam import SearchSettings
from asr.search.methods import search
from asr.text.normalize import normalize
from asr.text.tokenizer import Tokenizer
from asr.training.trainer import Validation

GREEDY = SearchSettings(method="greedy")


class Validator:
    """Decodes dev greedily by the speller alone, and looks at where it attends when told the true tokens.

    Args:
        model: The one in training.
        tokenizer: Of the run.
        dev: Its development set.
        batch_s: Padded seconds of audio decoded at once.
        n_steps: Steps of the whole run.
        translates: Whether it writes another language than is spoken: models are then chosen by chrF, since
            BLEU is 0 until four words in a row are right, and attention may go back.
        pictures: Folder for pictures of attention on the longest dev utterance.
        ranks: The processes that share the work; all of them get the same result.
    """

    def __init__(
        self,
        model: AsrModel,
        tokenizer: Tokenizer,
        dev: Sequence[Utterance],
        batch_s: float,
        n_steps: int,
        translates: bool,
        pictures: Path,
        ranks: Ranks,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.dev = dev
        self.mine = ranks.share(dev)
        self.batch_s = batch_s
        self.n_steps = n_steps
        self.translates = translates
        self.pictures = pictures
        self.ranks = ranks

    def __call__(self, step: int) -> Validation:
        """Validates the model as it stands; `step` names the picture."""
        found: dict[int, dict[str, Any]] = {}
        for indices, _, states, state_lens in listen(self.model, self.mine, self.batch_s):
            self.ranks.at(step, "validating", [self.mine[index].id for index in indices])
            found.update(zip(indices, self._records(indices, states, state_lens), strict=True))
        self.ranks.at(step, "gathering")
        records = self.ranks.in_order([found[index] for index in range(len(self.mine))])
        health = alignment_health([Attended(**record["attended"]) for record in records])
        scored = score(
            {utterance.id: normalize(utterance.text) for utterance in self.dev},
            {
                utterance.id: normalize(self.tokenizer.decode(record["tokens"]))
                for utterance, record in zip(self.dev, records, strict=True)
            },
        )
        metrics = {"cer": scored.cer, **asdict(health)}
        measure, error = "WER", scored.wer
        if self.translates:
            texts = [(each.reference, each.hypothesis) for each in scored.utterances]
            translation = score_translations(*map(list, zip(*texts, strict=True)))
            metrics |= {"wer": scored.wer, "bleu": translation.bleu}
            measure, error = "chrF gap", max(0.0, 1.0 - translation.chrf / 100.0)
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        alarm = health.verdict(step / self.n_steps, scored.wer, forward=not self.translates)
        picture = self._picture(step) if self.ranks.is_first else None
        return Validation(measure, error, finite, alarm, picture)

    def _records(self, indices: list[int], states: Tensor, state_lens: Tensor) -> list[dict[str, Any]]:
        """What is to be known of each utterance of a batch, in plain values."""
        hypotheses = [found[0] for found in search(self.model, states, state_lens, GREEDY)]
        references = [self.tokenizer.encode(self.mine[index].text) for index in indices]
        tokens, token_lens = (each.to(states.device) for each in pad([torch.tensor(r).long() for r in references]))
        right, weights = self._spell(states, state_lens, tokens, token_lens, look=True)
        assert weights is not None
        # Of similar length, since batches are: the recording of the next in the batch.
        wrong, _ = self._spell(states.roll(1, 0), state_lens.roll(1, 0), tokens, token_lens, look=False)
        gains = (right - wrong).tolist() if len(indices) > 1 else [None]
        rows = zip(hypotheses, references, weights, state_lens.tolist(), gains, strict=True)
        return [
            {
                "tokens": list(hypothesis.tokens),
                "attended": asdict(
                    attended(attention[: len(reference), :, :n_states].numpy(), hypothesis.tokens, reference, gain)
                ),
            }
            for hypothesis, reference, attention, n_states, gain in rows
        ]

    @torch.inference_mode()
    def _spell(
        self, states: Tensor, state_lens: Tensor, tokens: Tensor, token_lens: Tensor, look: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Log-probability (B,) of the transcripts, ends included, and attention (B, U + 1, H, S), on the CPU."""
        history = history_of(tokens, self.tokenizer.sos)
        spelling = self.model.speller(history, self.model.speller.memory(states, state_lens), look=look)
        targets, valid = targets_of(tokens, token_lens, self.tokenizer.eos)
        losses = F.cross_entropy(spelling.logits.double().transpose(1, 2), targets, reduction="none")
        weights = None if spelling.weights is None else spelling.weights.cpu()
        return -losses.where(valid, 0.0).sum(1).cpu(), weights

    def _picture(self, step: int) -> Path:
        index = max(range(len(self.dev)), key=lambda i: self.dev[i].duration_s)
        shown = self.dev[index]
        path = self.pictures / f"step-{step:08d}.png"
        sight = look(self.model, self.tokenizer, read_utterance(shown), lambda *_: self.tokenizer.encode(shown.text))
        from asr.recognizer.pictures.page import draw  # only now: a start of training should not wait for matplotlib

        draw(path, sight, maps_of(sight, ALL), f"{shown.id}, step {step}")
        return path
