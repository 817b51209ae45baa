"""SpeechBrain's side of `train_peers`; runs in a virtual environment that has it, on the folder that script prepares.

SpeechBrain ships no recipe for AN4; `an4` follows that for its smallest corpus, recipes/TIMIT/ASR/seq2seq: CRDNN of
LiGRU with location attention and a GRU, CTC weight 0.2, Adam at 0.0003, 50 epochs, beam 16; of 30 word pieces instead
of phonemes. `librispeech` follows templates/speech_recognition/ASR, which is for Mini LibriSpeech: CRDNN of LSTM, CTC
weight 0.5 in the first 5 epochs, Adadelta, 15 epochs, each batch beside its varied copy; beam 8 instead of 80, 300
pieces instead of 1,000, from chance instead of a model of 960 hours, without its language model, and without the
recordings of noise and rooms that it downloads. Both anneal by NewBob and keep the epoch with the lowest WER on dev.
Search is tried on dev with CTC weights 0 (the recipes' own) and 0.4 (recipes/LibriSpeech/ASR/seq2seq); the better one
decodes test.
"""

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import sentencepiece
import soundfile
import speechbrain as sb
import torch
from speechbrain.augment.augmenter import Augmenter
from speechbrain.augment.time_domain import DropChunk, DropFreq, SpeedPerturb
from speechbrain.decoders import CTCScorer, S2SRNNBeamSearcher, S2SRNNGreedySearcher, ScorerBuilder
from speechbrain.lobes.features import Fbank
from speechbrain.lobes.models.CRDNN import CRDNN
from speechbrain.nnet.embedding import Embedding
from speechbrain.nnet.linear import Linear
from speechbrain.nnet.losses import ctc_loss, nll_loss
from speechbrain.nnet.RNN import LSTM, AttentionalRNNDecoder, LiGRU
from speechbrain.nnet.schedulers import NewBobScheduler, update_learning_rate
from speechbrain.processing.features import InputNormalization
from speechbrain.utils.checkpoints import Checkpointer
from speechbrain.utils.epoch_loop import EpochCounter
from speechbrain.utils.metric_stats import ErrorRateStats

BLANK, BOS, EOS, BATCH = 0, 1, 2, 8
RECIPES: dict[str, dict[str, Any]] = {
    "an4": {
        "encoder": {"rnn_class": LiGRU, "rnn_neurons": 512},
        "d_decoder": 256,
        "decoder_dropout": 0.5,
        "ctc_weight": 0.2,
        "n_ctc_epochs": 50,
        "n_epochs": 50,
        "lr": 0.0003,
        "optimizer": torch.optim.Adam,
        "n_pieces": 30,
        "beam": {"beam_size": 16},
        "both": False,
    },
    "librispeech": {
        "encoder": {"rnn_class": LSTM, "rnn_neurons": 1024, "rnn_re_init": True, "time_pooling_size": 4},
        "d_decoder": 1024,
        "decoder_dropout": 0.15,
        "ctc_weight": 0.5,
        "n_ctc_epochs": 5,
        "n_epochs": 15,
        "lr": 1.0,
        "optimizer": lambda weights, lr: torch.optim.Adadelta(weights, lr=lr, rho=0.95, eps=1e-8),
        "n_pieces": 300,
        "beam": {"beam_size": 8, "eos_threshold": 1.5, "using_max_attn_shift": True, "max_attn_shift": 240},
        "both": True,
    },
}


class BudgetSpent(Exception):
    """The time for training is over."""


class Recognizer(sb.Brain):
    """CTC beside attention; the loop is SpeechBrain's."""

    def compute_forward(self, batch: Any, stage: Any) -> Any:
        """Log-probabilities of tokens, and of CTC."""
        wavs, lens = batch.sig
        bos, _ = batch.tokens_bos
        if stage == sb.Stage.TRAIN:
            wavs, lens = self.augment(wavs, lens)
            bos = self.augment.replicate_labels(bos)
        features = self.modules.normalize(self.fbank(wavs), lens)
        states = self.modules.encoder(features.detach())
        decoded, _ = self.modules.decoder(self.modules.embedding(bos), states, lens)
        return self.modules.seq_lin(decoded).log_softmax(-1), self.modules.ctc_lin(states).log_softmax(-1), states, lens

    def compute_objectives(self, predictions: Any, batch: Any, stage: Any) -> torch.Tensor:
        """The recipe's loss; on dev, errors are counted, too."""
        of_tokens, of_ctc, states, lens = predictions
        (eos, eos_lens), (tokens, token_lens) = batch.tokens_eos, batch.tokens
        if stage == sb.Stage.TRAIN:
            eos, eos_lens, tokens, token_lens = map(self.augment.replicate_labels, (eos, eos_lens, tokens, token_lens))
        loss = nll_loss(of_tokens, eos, length=eos_lens, label_smoothing=0.1)
        if stage == sb.Stage.TRAIN and self.counter.current <= self.recipe["n_ctc_epochs"]:
            weight = self.recipe["ctc_weight"]
            loss = (1 - weight) * loss + weight * ctc_loss(of_ctc, tokens, lens, token_lens, BLANK)
        if stage != sb.Stage.TRAIN:
            self.note(batch, self.searcher(states, lens)[0])
        return loss

    def note(self, batch: Any, found: Any) -> None:
        """Keeps texts, and counts their errors."""
        texts = [self.pieces.decode([int(token) for token in tokens]) for tokens in found]
        self.texts.update(zip(batch.id, texts, strict=True))
        self.errors.append(batch.id, [text.split() for text in texts], [text.split() for text in batch.text])

    def fit_batch(self, batch: Any) -> torch.Tensor:
        """A step, if there is time for it."""
        if time.monotonic() > self.deadline:
            raise BudgetSpent
        return super().fit_batch(batch)

    def on_stage_start(self, stage: Any, epoch: int | None = None) -> None:
        """Errors are counted anew."""
        self.errors, self.texts = ErrorRateStats(), {}

    def on_stage_end(self, stage: Any, stage_loss: float, epoch: int | None = None) -> None:
        """Anneals and keeps the best epoch."""
        if stage != sb.Stage.VALID:
            self.train_loss = stage_loss
            return
        wer = self.errors.summarize("error_rate")
        print(f"epoch {epoch}: loss {self.train_loss:.3f}, dev WER {wer:.2f} % (greedy)", flush=True)
        _, lr = self.annealing(wer)
        update_learning_rate(self.optimizer, lr)
        self.checkpointer.save_and_keep_only(meta={"WER": wer}, min_keys=["WER"])


def main() -> None:
    """Trains and decodes."""
    out = Path(sys.argv[1])
    task = json.loads((out / "task.json").read_text())
    recipe, splits = RECIPES[task["recipe"]], task["splits"]
    random.seed(task["seed"])
    torch.manual_seed(task["seed"])
    pieces = learn_pieces(out, splits["train"], recipe["n_pieces"])
    brain = build(out, recipe, pieces)
    data = {name: dataset(rows, pieces) for name, rows in splits.items()}
    brain.deadline = time.monotonic() + task["budget_s"]
    loader = {"batch_size": BATCH}
    try:
        brain.fit(brain.counter, data["train"], data["dev"], False, loader, loader)
    except BudgetSpent:
        print(f"the budget of {task['budget_s']:g} s is spent in epoch {brain.counter.current}", flush=True)
    if brain.checkpointer.recover_if_possible(min_key="WER") is None:
        raise SystemExit("no epoch ended within the budget; give more")
    tried = {}
    for weight in (0.0, 0.4):
        brain.searcher = beam(brain, recipe, weight)
        brain.evaluate(data["dev"], progressbar=False, test_loader_kwargs=loader)
        tried[weight] = brain.errors.summarize("error_rate")
    print(f"dev WER by CTC weight in search: {tried}", flush=True)
    brain.searcher = beam(brain, recipe, min(tried, key=lambda weight: (tried[weight], weight)))
    for split in splits.keys() - {"train", "dev"}:
        brain.evaluate(data[split], progressbar=False, test_loader_kwargs=loader)
        (out / split).mkdir(exist_ok=True)
        (out / split / "hyp.txt").write_text("".join(f"{id_} {text}\n" for id_, text in brain.texts.items()))


def learn_pieces(out: Path, rows: list[dict[str, Any]], n_pieces: int) -> sentencepiece.SentencePieceProcessor:
    """A unigram model of the transcripts, as SpeechBrain's tokenizer recipes make it."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([row["text"] for row in rows]),
        model_prefix=str(out / "bpe"),
        vocab_size=n_pieces,
        model_type="unigram",
        character_coverage=1.0,
        unk_id=BLANK,  # never written, and CTC's blank is never read
        bos_id=BOS,
        eos_id=EOS,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_file=str(out / "bpe.model"))


def build(out: Path, recipe: dict[str, Any], pieces: sentencepiece.SentencePieceProcessor) -> Recognizer:
    """The network, its optimizer, and what keeps it."""
    n_tokens, d_decoder = len(pieces), recipe["d_decoder"]
    modules = {
        "normalize": InputNormalization(norm_type="global"),
        "encoder": CRDNN(
            input_shape=[None, None, 40], dropout=0.15, cnn_channels=(128, 256), time_pooling=True, rnn_layers=4,
            rnn_bidirectional=True, dnn_blocks=2, dnn_neurons=512, **recipe["encoder"],
        ),
        "embedding": Embedding(num_embeddings=n_tokens, embedding_dim=128),
        "decoder": AttentionalRNNDecoder(
            rnn_type="gru", attn_type="location", hidden_size=d_decoder, attn_dim=d_decoder, num_layers=1, enc_dim=512,
            input_size=128, scaling=1.0, channels=10, kernel_size=100, re_init=True, dropout=recipe["decoder_dropout"],
        ),
        "ctc_lin": Linear(input_size=512, n_neurons=n_tokens),
        "seq_lin": Linear(input_size=d_decoder, n_neurons=n_tokens),
    }  # fmt: skip
    brain = Recognizer(modules, lambda weights: recipe["optimizer"](weights, lr=recipe["lr"]))
    print(f"{sum(weights.numel() for weights in brain.modules.parameters()) / 1e6:.1f} M parameters", flush=True)
    brain.recipe, brain.pieces, brain.fbank = recipe, pieces, Fbank(n_mels=40, n_fft=400, sample_rate=16000)
    drops = [DropFreq(drop_freq_count_low=0), DropChunk(drop_length_low=1000, drop_length_high=2000, drop_count_low=0)]
    varied = drops if recipe["both"] else [SpeedPerturb(16000, [95, 100, 105]), *drops]
    brain.augment = Augmenter(concat_original=recipe["both"], augmentations=varied, min_augmentations=len(varied))
    brain.counter = EpochCounter(recipe["n_epochs"])
    brain.annealing = NewBobScheduler(recipe["lr"], 0.8, 0.0025)
    kept = {"model": brain.modules, "annealing": brain.annealing, "counter": brain.counter}
    brain.checkpointer = Checkpointer(out / "save", recoverables=kept)
    brain.searcher = S2SRNNGreedySearcher(**spelling(brain))
    return brain


def spelling(brain: Recognizer) -> dict[str, Any]:
    """What any search needs."""
    parts = {"embedding": brain.modules.embedding, "decoder": brain.modules.decoder, "linear": brain.modules.seq_lin}
    return {**parts, "bos_index": BOS, "eos_index": EOS, "min_decode_ratio": 0.0, "max_decode_ratio": 1.0}


def beam(brain: Recognizer, recipe: dict[str, Any], ctc_weight: float) -> S2SRNNBeamSearcher:
    """The recipe's beam search, by attention alone or with CTC."""
    ctc = CTCScorer(ctc_fc=brain.modules.ctc_lin, blank_index=BLANK, eos_index=EOS)
    scorer = ScorerBuilder(partial_scorers=[ctc], weights={"ctc": ctc_weight}, scorer_beam_scale=1.5)
    return S2SRNNBeamSearcher(**spelling(brain), **recipe["beam"], scorer=scorer if ctc_weight else None)


def dataset(rows: list[dict[str, Any]], pieces: sentencepiece.SentencePieceProcessor) -> Any:
    """Utterances from short to long, as the recipes sort them."""

    @sb.utils.data_pipeline.takes("audio")
    @sb.utils.data_pipeline.provides("sig")
    def read(audio: str) -> torch.Tensor:
        return torch.from_numpy(soundfile.read(audio, dtype="float32")[0])

    @sb.utils.data_pipeline.takes("text")
    @sb.utils.data_pipeline.provides("tokens", "tokens_bos", "tokens_eos")
    def encode(text: str) -> Any:
        tokens = pieces.encode(text)
        yield torch.tensor(tokens)
        yield torch.tensor([BOS, *tokens])
        yield torch.tensor([*tokens, EOS])

    named = {row["id"]: {key: row[key] for key in ("audio", "text", "seconds")} for row in rows}
    keys = ["id", "sig", "text", "tokens", "tokens_bos", "tokens_eos"]
    found = sb.dataio.dataset.DynamicItemDataset(named, dynamic_items=[read, encode], output_keys=keys)
    return found.filtered_sorted(sort_key="seconds")


if __name__ == "__main__":
    main()
