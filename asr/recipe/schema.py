"""A recipe: everything that one run depends on, as one typed, frozen object.

`asr.recipe.load.load_recipe` makes it from YAML. Counts are `n_*`, widths `d_*`, times in seconds `*_s`.
"""

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from asr.recipe.model_section import ModelSection
from asr.recipe.section import FolderPath, Section
from asr.recipe.task_section import Classify, LanguageModelling, Transcribe, Translate, check_use
from asr.recipe.tokenizer_section import BpeTokenizer, CharTokenizer, TrainedTokenizer, UnigramTokenizer

Count = Annotated[int, Field(ge=1)]
CountOrNone = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
ManifestPath = Annotated[Path, Field(strict=False)]  # text becomes a path
FilePath = Annotated[Path, Field(strict=False)]
LmWeight = Annotated[float, Field(ge=0, le=10)]
Speed = Annotated[float, Field(ge=0.5, le=2)]
Decibels = Annotated[float, Field(ge=-30, le=100)]
ReverbTime = Annotated[float, Field(ge=0.05, le=1)]


class DataSection(Section):
    """Which utterances, and how they come in batches. A relative path starts at the current directory."""

    train: Annotated[tuple[ManifestPath, ...], Field(min_length=1)] = Field(
        description="manifests to train on, or texts for a language model; paths from the current directory"
    )
    dev: Annotated[tuple[ManifestPath, ...], Field(min_length=1)] = Field(
        description="manifests or texts to validate on, paths from the current directory"
    )
    language: Annotated[str, Field(min_length=2)] = Field(
        "en", description="ISO 639 code of what is written, reported with it"
    )
    batch_s: Seconds = Field(100.0, description="audio per training batch, padding included, in seconds")
    batch_tokens: Count | None = Field(
        None,
        description="tokens per training batch, padding included; null bounds batches by their audio alone; a language "
        "model needs it, and its sentences may have as many",
    )
    n_buckets: Count = Field(8, description="groups of similar duration from which batches are drawn")
    n_workers: CountOrNone = Field(1, description="processes that decode audio; 0 decodes in the training process")
    max_duration_s: Seconds = Field(
        30.0, description="longest training utterance, in seconds; longer ones are an error that names them"
    )


class FeaturesSection(Section):
    """Log-mel features of 16 kHz audio."""

    n_mels: Annotated[int, Field(ge=1, le=256)] = Field(80, description="mel bins")
    window_s: Annotated[float, Field(gt=0, le=1)] = Field(0.025, description="length of a frame's window, in seconds")
    hop_s: Annotated[float, Field(gt=0, le=1)] = Field(0.010, description="time from frame to frame, in seconds")

    floor_db: Annotated[float, Field(ge=-120, le=0)] = Field(
        -80.0, description="mel powers below this count as silence, in dB of full scale; -80 is 16-bit rounding noise"
    )
    normalize: Literal["bins", "level"] = Field(
        "bins",
        description="what is made even over an utterance: each mel bin by itself, or the level of all together, which "
        "leaves a lone word its spectrum",
    )

    @model_validator(mode="after")
    def _windows_cover_everything(self) -> Self:
        if self.hop_s > self.window_s:
            raise ValueError(f"hop_s = {self.hop_s}: expected at most window_s = {self.window_s}, or audio is skipped")
        return self


class SpecAugmentSection(Section):
    """Masks over frequency and time in training; time masks grow with the utterance (Park et al. 2019, 2020)."""

    n_freq_masks: CountOrNone = Field(2, description="frequency masks per utterance")
    max_freq_bins: CountOrNone = Field(27, description="widest frequency mask, in mel bins")
    time_masks_per_s: Annotated[float, Field(ge=0, le=100)] = Field(
        1.0, description="time masks per second of the utterance"
    )
    max_time_masks: CountOrNone = Field(10, description="most time masks per utterance")
    max_time_share: Share = Field(0.05, description="widest time mask, as a share of the utterance")


class NoiseSection(Section):
    """Noise added to training utterances: recordings, or noise whose power falls as 1/f^a, a from 0 to 2."""

    share: Share = Field(0.5, description="probability that an utterance gets noise")
    snr_db: tuple[Decibels, Decibels] = Field(
        (5.0, 25.0), description="lowest and highest signal-to-noise ratio, in dB, one drawn per utterance and epoch"
    )
    folder: FolderPath | None = Field(
        None, description="recordings, in this folder or below it (such as MUSAN's); null makes coloured noise"
    )

    @model_validator(mode="after")
    def _lowest_first(self) -> Self:
        _check_rises("snr_db", self.snr_db)
        return self


class ReverbSection(Section):
    """Rooms to speak training utterances in: simulated (Allen & Berkley 1979), or recorded impulse responses."""

    share: Share = Field(0.5, description="probability that an utterance is put in a room")
    rt60_s: tuple[ReverbTime, ReverbTime] = Field(
        (0.1, 0.6),
        description="shortest and longest time in which sound falls by 60 dB, in seconds; of simulated rooms",
    )
    folder: FolderPath | None = Field(
        None, description="recorded impulse responses, in this folder or below it; null simulates rooms"
    )

    @model_validator(mode="after")
    def _shortest_first(self) -> Self:
        _check_rises("rt60_s", self.rt60_s)
        return self


def _check_rises(key: str, bounds: tuple[float, float]) -> None:
    if bounds[0] > bounds[1]:
        raise ValueError(f"{key} = {list(bounds)}: expected the smaller number first")


class AugmentSection(Section):
    """How training utterances are varied; dev and test never are."""

    speeds: Annotated[tuple[Speed, ...], Field(min_length=1)] = Field(
        (0.9, 1.0, 1.1), description="speed factors, one drawn per utterance and epoch; [1.0] changes nothing"
    )
    reverb: ReverbSection | None = Field(None, description="rooms to speak in; null for none")
    noise: NoiseSection | None = Field(None, description="what is heard besides; null for nothing")
    spec_augment: SpecAugmentSection | None = Field(
        SpecAugmentSection(), description="masks over the features; null for none"
    )


class StageSection(Section):
    """An early part of a run that differs from the rest, such as clean speech first, or short utterances first."""

    until_step: Count = Field(description="the step at which this part ends")
    max_duration_s: Seconds | None = Field(
        None, description="longest utterance of this part, in seconds; null takes them all"
    )
    augment: AugmentSection | None = Field(None, description="instead of the recipe's own; null keeps that")


class GuidedAttentionSection(Section):
    """A penalty for attention off the diagonal, from the first step on, until it has found its way."""

    weight: Annotated[float, Field(gt=0, le=1000)] = Field(
        1.0, description="weight at the first step of the penalty, which is 0 to 1 per token; it falls in a line"
    )
    width: Annotated[float, Field(gt=0, le=1)] = Field(
        0.2, description="how far attention may leave the diagonal at little cost, as a share of the utterance"
    )
    until_step: Count = Field(description="the step from which on there is no penalty")
    n_heads: Count | None = Field(
        None,
        description="guide only the last so many heads; a Transformer's last are those of its last layer; null for all",
    )


class MinWerSection(Section):
    """Training on the word errors expected over the n-best instead of likelihood; for a model already trained."""

    n_best: Annotated[int, Field(ge=2, le=100)] = Field(
        4, description="hypotheses per utterance, searched for with a beam of as many, otherwise as `search` says"
    )
    joint_weight: Annotated[float, Field(ge=0, le=100)] = Field(
        0.01, description="weight of the loss without min_wer, which is added; lambda of Prabhavalkar et al. 2018"
    )


class ObjectiveSection(Section):
    """What training minimises: ctc_weight · CTC + (1 - ctc_weight) · cross entropy (Kim et al. 2017)."""

    ctc_weight: Share = Field(0.3, description="weight of the CTC loss, the speller's has the rest; 0 for no CTC head")
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="share of the probability spread over all tokens in the speller's targets"
    )
    scheduled_sampling: Share = Field(
        0.0,
        description="probability, at the last step, of feeding the speller its own token instead of the true one; a "
        "speller that spells all positions at once (parallel_lstm, transformer) takes what a first pass wrote",
    )
    guided_attention: GuidedAttentionSection | None = Field(
        None, description="keep attention near the diagonal at first (Tachibana et al. 2018); null for no such thing"
    )
    min_wer: MinWerSection | None = Field(
        None, description="minimum word error rate training (Prabhavalkar et al. 2018); null trains on likelihood"
    )


class TrainingSection(Section):
    """The run: how long, how fast, and what it leaves behind. Times are in steps (optimizer updates)."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(1, description="seed of all randomness")
    init_from: FolderPath | None = Field(
        None,
        description="EXP/best of a run: matching weights and rows of tokens are where this one starts; null for chance",
    )
    n_steps: Count = Field(10_000, description="steps in all")
    peak_lr: Annotated[float, Field(gt=0, le=1)] = Field(1e-3, description="highest learning rate of AdamW")
    warmup_steps: CountOrNone = Field(500, description="steps over which the learning rate rises to its peak")
    final_lr_share: Share = Field(0.01, description="learning rate at the last step, as a share of the peak")
    weight_decay: Annotated[float, Field(ge=0, le=1)] = Field(1e-2, description="weight decay of AdamW")
    clip_norm: Annotated[float, Field(gt=0)] = Field(5.0, description="largest gradient norm; longer ones are scaled")
    validate_every: Count = Field(500, description="steps between validations")
    checkpoint_every: Count = Field(200, description="steps between checkpoints")
    keep_checkpoints: Count = Field(2, description="newest checkpoints that stay on disk")
    average_best: Count = Field(
        5, description="best validations of the second half of the run whose weights are averaged at its end"
    )
    stages: tuple[StageSection, ...] = Field(
        (), description="early parts of the run that differ from the rest, in the order of their until_step"
    )
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="decay of a running mean of the weights, which is then validated and kept; null for none"
    )
    precision: Literal["fp32", "bf16"] = Field(
        "fp32", description="of matrix products, convolutions and LSTMs; bf16 leaves weights, sums and losses in fp32"
    )
    n_micro_batches: Count = Field(
        1, description="parts that each process cuts its share of a batch into, to fit its memory; the gradient is one"
    )
    rank_timeout_s: Annotated[float, Field(ge=5)] = Field(
        45.0, description="with several processes: seconds without progress after which all stop and name the culprit"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where to train; auto takes a GPU if it can")

    @model_validator(mode="after")
    def _warmup_ends(self) -> Self:
        if self.warmup_steps > self.n_steps:
            raise ValueError(f"warmup_steps = {self.warmup_steps}: expected at most n_steps = {self.n_steps}")
        return self

    @model_validator(mode="after")
    def _stages_follow_each_other(self) -> Self:
        ends = [0, *(stage.until_step for stage in self.stages), self.n_steps]
        if any(end >= after for end, after in pairwise(ends)):
            raise ValueError(
                f"stages end at steps {ends[1:-1]}: expected rising numbers below n_steps = {self.n_steps}"
            )
        return self


class SearchSection(Section):
    """How transcripts are searched for: beam search with attention and CTC scores (Watanabe et al. 2017)."""

    method: Literal["beam", "greedy", "ctc", "rescore"] = Field(
        "beam",
        description="beam: joint decoding; rescore: CTC proposes beam_size transcripts, speller and others judge them; "
        "greedy: the speller's best token each time; ctc: the best path of CTC. The last two use no weights",
    )
    beam_size: Annotated[int, Field(ge=1, le=1000)] = Field(10, description="hypotheses kept per utterance")
    n_best: Annotated[int, Field(ge=1, le=1000)] = Field(
        1, description="hypotheses returned per utterance, at most beam_size; from 2 on, JSON lists them"
    )
    ctc_weight: Share = Field(0.3, description="weight of the CTC prefix score; the attention score has the rest")
    length_bonus: Annotated[float, Field(ge=-100, le=100)] = Field(0.0, description="score added per token")
    coverage_bonus: Annotated[float, Field(ge=0, le=100)] = Field(
        0.0, description="score added per encoder state that attention has covered; 0 does not look"
    )
    eos_threshold: Annotated[float, Field(gt=0)] = Field(
        1.5,
        description="a hypothesis may end if log p(eos) > this factor · log p(best other token); above 1 is lenient",
    )
    max_length_ratio: Annotated[float, Field(gt=0, le=100)] = Field(
        1.0, description="longest hypothesis, in tokens per encoder state"
    )
    lm: FolderPath | None = Field(
        None, description="language model of the recogniser's tokens, EXP/best of its training; null for none"
    )
    lm_weight: LmWeight = Field(0.3, description="weight of the language model's score; 0 leaves it out")
    internal_lm_weight: LmWeight = Field(
        0.0,
        description="weight at which the speller's score without audio is taken off again (Meng et al. 2021): what it "
        "has learnt of language from transcripts, where another model knows better; 0 leaves it",
    )
    ngram: FilePath | None = Field(
        None, description="n-gram model of the recogniser's tokens, an ARPA file (.gz, .xz too); null for none"
    )
    ngram_weight: LmWeight = Field(0.3, description="weight of the n-gram model's score; 0 leaves it out")
    phrases: FilePath | None = Field(
        None,
        description="phrases to favour, one on each line of a text file, behind a tab its own weight if that is not 1; "
        "path from the current directory; null for none",
    )
    phrase_weight: Annotated[float, Field(ge=0, le=100)] = Field(
        0.5, description="score added per character of a phrase that is written; 0 for no phrases"
    )
    only_speech: bool = Field(
        True,
        description="write nothing where nothing sounds like speech; false for models of other sounds, as Morse code",
    )
    batch_s: Seconds = Field(200.0, description="audio searched at once, padding included, in seconds")

    @model_validator(mode="after")
    def _nothing_is_ignored(self) -> Self:
        most = 1 if self.method in ("greedy", "ctc") else self.beam_size
        if self.n_best > most:
            raise ValueError(f"n_best = {self.n_best}: expected at most {most}, with method = {self.method}")
        if self.method in ("greedy", "ctc"):
            for name in ("phrases", "lm", "ngram"):
                if (value := getattr(self, name)) is not None:
                    raise ValueError(f"{name} = {value}: expected null, since method = {self.method} asks no {name}")
        return self


class Recipe(Section):
    """One run: task, data, features, tokens, model, training, search."""

    task: Transcribe | Translate | Classify | LanguageModelling = Field(
        Transcribe(kind="transcribe"), discriminator="kind", description="what is to be made of an utterance"
    )
    data: DataSection = Field(description="utterances and batches")
    features: FeaturesSection = Field(FeaturesSection(), description="log-mel front end")
    tokenizer: CharTokenizer | UnigramTokenizer | BpeTokenizer | TrainedTokenizer | None = Field(
        None, discriminator="kind", description="how text is cut into tokens; null for a task that writes none"
    )
    augment: AugmentSection = Field(AugmentSection(), description="variation of training utterances")
    model: ModelSection = Field(description="the network")
    objective: ObjectiveSection = Field(ObjectiveSection(), description="the loss")
    training: TrainingSection = Field(TrainingSection(), description="the optimizer's run")
    search: SearchSection = Field(SearchSection(), description="decoding")

    @model_validator(mode="after")
    def _task_has_what_it_needs(self) -> Self:
        check_use(
            self.task.kind,
            {
                "model.listener": self.model.listener,
                "model.attention": self.model.attention,
                "model.speller": self.model.speller,
                "tokenizer": self.tokenizer,
                "data": self.data,
                "features": self.features,
                "augment": self.augment,
                "objective": self.objective,
                "search": self.search,
            },
        )
        return self

    @model_validator(mode="after")
    def _a_language_model_has_what_it_needs(self) -> Self:
        if self.task.kind == "language_model":
            if self.data.batch_tokens is None:
                raise ValueError("data.batch_tokens: missing; task.kind = language_model makes its batches by tokens")
            if self.model.speller and self.model.speller.kind == "parallel_lstm":
                raise ValueError("model.speller.kind = parallel_lstm: expected lstm or transformer of a language model")
            if self.training.stages:
                raise ValueError("training.stages: leave it out; task.kind = language_model hears nothing")
        return self

    @model_validator(mode="after")
    def _ctc_is_trained_where_it_is_used(self) -> Self:
        if self.search.ctc_weight > 0 and self.objective.ctc_weight == 0:
            raise ValueError(
                f"search.ctc_weight = {self.search.ctc_weight:g}: expected 0, since objective.ctc_weight = 0 trains "
                "no CTC"
            )
        if self.search.method in ("ctc", "rescore") and self.objective.ctc_weight == 0:
            raise ValueError(
                f"search.method = {self.search.method}: expected another, since objective.ctc_weight = 0 trains no CTC"
            )
        return self

    @model_validator(mode="after")
    def _min_wer_has_a_model(self) -> Self:
        if self.objective.min_wer and not self.training.init_from:
            raise ValueError(
                "objective.min_wer: needs training.init_from = EXP/best of a trained model: "
                "the hypotheses of an untrained one teach nothing"
            )
        return self

    @model_validator(mode="after")
    def _masks_fit(self) -> Self:
        places = {"augment": self.augment}
        for number, stage in enumerate(self.training.stages):
            if stage.augment:
                places[f"training.stages.{number}.augment"] = stage.augment
        for place, section in places.items():
            widest = section.spec_augment.max_freq_bins if section.spec_augment else 0
            if widest > self.features.n_mels:
                raise ValueError(
                    f"{place}.spec_augment.max_freq_bins = {widest}: expected at most features.n_mels = "
                    f"{self.features.n_mels}"
                )
        return self
