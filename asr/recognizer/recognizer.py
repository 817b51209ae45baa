"""A trained model you can call."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asr.build import build_phrases, build_search_settings, pick_device
from asr.models.asr_model import AsrModel
from asr.recipe.schema import Recipe
from asr.recognizer.confidence import Calibration, with_confidence
from asr.recognizer.decode import Stretch, hear
from asr.recognizer.default_model import choose_model
from asr.recognizer.flags import flags_of
from asr.recognizer.language_models import load_language_models
from asr.recognizer.long_form import transcribe_all
from asr.recognizer.model_folder import load_model
from asr.recognizer.recordings import Recording
from asr.recognizer.task_error import wrong_task
from asr.recognizer.transcript import Alternative, Segment, Transcript
from asr.recognizer.words import words_of
from asr.search.ctc_align import Alignment, BestPath, best_paths, ctc_align
from asr.search.hypothesis import Hypothesis
from asr.search.methods import search
from asr.search.scorers import OtherScorer
from asr.text.tokenizer import Tokenizer


class Recognizer:
    """Listens to recordings and writes what was said.

    Args:
        model: On its device, in evaluation mode.
        tokenizer: Of that model.
        recipe: It was trained with; its `search` section says how to search.
        others: Scorers that join the search besides the recipe's phrases, such as language models.
        calibration: What turns evidence into confidences; None without.
    """

    def __init__(
        self,
        model: AsrModel,
        tokenizer: Tokenizer,
        recipe: Recipe,
        others: Sequence[OtherScorer] = (),
        calibration: Calibration | None = None,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.recipe = recipe
        self.settings = build_search_settings(recipe)
        self.others = [*others, *build_phrases(recipe, tokenizer)]
        self.calibration = calibration

    @classmethod
    def load(
        cls, folder: str | Path | None = None, *, device: str = "auto", search: Sequence[str] = ()
    ) -> "Recognizer":
        """Reads a model folder.

        Args:
            folder: `best` of an experiment; None for the English model that comes with the package.
            device: auto, cpu, cuda or cuda:N.
            search: Changes to the recipe's search section, each as key=value, such as "beam_size=5".

        Raises:
            DefaultModelError: No folder was given, and none came with the package.
            CheckpointError: The folder is not a whole model.
            RecipeError: A change is not one to that section.
            TaskError: Its model writes no text.
            LanguageModelError, ArpaError: A language model of the search is missing or does not fit.
            DeviceError: The device is not there.
            PhraseError: The search section names a list of phrases that cannot be used.
        """
        place = pick_device(device)
        folder, search = choose_model(folder, search)
        recipe, tokenizer, model = load_model(folder, [f"search.{change}" for change in search])
        if not isinstance(model, AsrModel) or not isinstance(tokenizer, Tokenizer):
            raise wrong_task(folder, recipe.task.kind)
        others = load_language_models(recipe, folder, model, tokenizer, place)
        return cls(model.to(place), tokenizer, recipe, others, Calibration.load(folder))

    def transcribe(self, audio: str | Path | np.ndarray) -> Transcript:
        """Transcribes one recording of any length.

        Args:
            audio: A file that `stream_audio` takes, or samples (N,) float, mono, 16 kHz.

        Raises:
            AudioError, OSError: The file cannot be read.
        """
        recording = Recording.of_samples(audio) if isinstance(audio, np.ndarray) else Recording.of_file(Path(audio))
        ((_, outcome),) = transcribe_all(self, [recording])
        if not isinstance(outcome, Transcript):
            raise outcome
        return outcome

    def listen(self, recordings: list[np.ndarray]) -> tuple[Tensor, Tensor]:
        """Steps 2 and 3: samples (N,) each -> listener states (B, S, D) and state_lens (B,)."""
        return hear(self.model, recordings)

    def search(self, states: Tensor, state_lens: Tensor) -> list[Hypothesis]:
        """Step 4: the best hypothesis of each utterance."""
        return [n_best[0] for n_best in self._search(states, state_lens)]

    def _search(self, states: Tensor, state_lens: Tensor) -> list[list[Hypothesis]]:
        return search(self.model, states, state_lens, self.settings, self.others)

    @torch.inference_mode()
    def recognize(self, stretches: Sequence[Stretch], states: Tensor, state_lens: Tensor) -> list[Segment]:
        """Steps 4 and 5: writes what was said, and all that is to be known about it.

        Args:
            stretches: The B stretches that were listened to.
            states: (B, S, D) from `listen`.
            state_lens: (B,) int64.
        """
        n_bests = self._search(states, state_lens)
        alignments: list[Alignment | None] = [None] * len(n_bests)
        heard: list[BestPath | None] = [None] * len(n_bests)
        if self.model.ctc_head is not None and self.recipe.task.kind == "transcribe":  # a translation has another order
            log_probs = self.model.ctc_log_probs(states)
            alignments = ctc_align(log_probs, state_lens, [n_best[0].tokens for n_best in n_bests])
            heard = [*best_paths(log_probs, state_lens)]
        return list(map(self._segment, stretches, n_bests, alignments, heard))

    def listens_to(self, stretch: Stretch) -> bool:
        """Whether there may be something to write: speech, or whatever else the model has learnt."""
        return stretch.may_be_speech or not self.recipe.search.only_speech

    def silence(self, stretch: Stretch) -> Segment:
        """What is written where nobody speaks: nothing, whatever a speller would have made up."""
        return Segment(
            stretch.start_s, stretch.end_s, "", 0.0, 0, flags=("no_speech",), calibrated=self.calibration is not None
        )

    def _segment(
        self, stretch: Stretch, n_best: list[Hypothesis], alignment: Alignment | None, heard: BestPath | None
    ) -> Segment:
        best, reduction = n_best[0], self.model.listener.time_reduction
        flags = flags_of(best, alignment, heard, self.listens_to(stretch))
        if "no_speech" in flags:
            return self.silence(stretch)

        def second_of(n_states: int) -> float:
            return min(stretch.start_s + self.model.front_end.span_s(n_states * reduction)[1], stretch.end_s)

        words = words_of(self.tokenizer, best.tokens, alignment, second_of)
        words = with_confidence(words, self.tokenizer, best, alignment, heard is not None, self.calibration)
        others = [Alternative(self.tokenizer.decode(each.tokens), each.score, each.scores) for each in n_best]
        return Segment(
            stretch.start_s,
            stretch.end_s,
            self.tokenizer.decode(best.tokens),
            best.score,
            len(best.tokens),
            best.finish,
            words,
            flags,
            self.calibration is not None and all(self.calibration.covers(word.evidence) for word in words),
            tuple(others) if self.settings.n_best > 1 else (),
        )
