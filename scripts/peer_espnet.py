"""ESPnet's side of `train_peers`; runs in a virtual environment that has espnet, on the folder that script prepares.

AN4 follows egs2/an4/asr1 as the best result of its README has it: a 12-layer Transformer, 30 unigram pieces, speed
perturbation, global normalisation, Adam at 0.005 with 20,000 steps of warm-up, 200 epochs, the best 10 averaged, beam
10 with CTC weight 0.3. LibriSpeech follows egs2/librispeech_100/asr1, the nearest that ESPnet ships to a few hours: a
12-layer Conformer with SpecAugment, Adam at 0.002, 70 epochs, beam 20 with CTC weight 0.3; of 300 pieces instead of
5,000, since so many cannot be learnt of a few hours. Language models are left out. Training ends with the recipe's
epochs or with the budget, whichever is first; then the best of the epochs that ended are averaged.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import sentencepiece
import soundfile
import torch
import yaml

ATTENTION = {"attention_heads": 4, "dropout_rate": 0.1, "positional_dropout_rate": 0.1}
BLOCKS = {**ATTENTION, "output_size": 256, "num_blocks": 12, "input_layer": "conv2d", "normalize_before": True}
COMMON: dict[str, Any] = {
    "model_conf": {"ctc_weight": 0.3, "lsm_weight": 0.1, "length_normalized_loss": False},
    "frontend_conf": {"n_fft": 512, "win_length": 400, "hop_length": 160, "fs": "16k"},
    "best_model_criterion": [["valid", "acc", "max"]],
    "keep_nbest_models": 10,
    "decoder": "transformer",
    "optim": "adam",
    "scheduler": "warmuplr",
}
RECIPES: dict[str, dict[str, Any]] = {
    "an4": {
        "batch_type": "folded",
        "batch_size": 64,
        "fold_length": [800 * 100, 150],
        "accum_grad": 2,
        "max_epoch": 200,
        "init": "xavier_uniform",
        "encoder": "transformer",
        "encoder_conf": {**BLOCKS, "attention_dropout_rate": 0.0, "linear_units": 2048},
        "decoder_conf": {
            **ATTENTION,
            "linear_units": 2048,
            "num_blocks": 6,
            "self_attention_dropout_rate": 0.0,
            "src_attention_dropout_rate": 0.0,
        },
        "optim_conf": {"lr": 0.005},
        "scheduler_conf": {"warmup_steps": 20000},
    },
    "librispeech": {
        "batch_type": "numel",
        "batch_bins": 16_000_000,
        "accum_grad": 4,
        "max_epoch": 70,
        "encoder": "conformer",
        "encoder_conf": {
            **BLOCKS,
            "attention_dropout_rate": 0.1,
            "linear_units": 1024,
            "macaron_style": True,
            "rel_pos_type": "latest",
            "pos_enc_layer_type": "rel_pos",
            "selfattention_layer_type": "rel_selfattn",
            "activation_type": "swish",
            "use_cnn_module": True,
            "cnn_module_kernel": 31,
        },
        "decoder_conf": {
            **ATTENTION,
            "linear_units": 2048,
            "num_blocks": 6,
            "self_attention_dropout_rate": 0.1,
            "src_attention_dropout_rate": 0.1,
        },
        "optim_conf": {"lr": 0.002, "weight_decay": 1e-6},
        "scheduler_conf": {"warmup_steps": 15000},
        "specaug": "specaug",
        "specaug_conf": {
            "apply_time_warp": True,
            "time_warp_window": 5,
            "time_warp_mode": "bicubic",
            "apply_freq_mask": True,
            "freq_mask_width_range": [0, 27],
            "num_freq_mask": 2,
            "apply_time_mask": True,
            "time_mask_width_ratio_range": [0.0, 0.05],
            "num_time_mask": 5,
        },
    },
}
N_PIECES = {"an4": 30, "librispeech": 300}
BEAM = {"an4": 10, "librispeech": 20}


def main() -> None:
    """Prepares ESPnet's files, trains, averages, decodes."""
    out = Path(sys.argv[1])
    task = json.loads((out / "task.json").read_text())
    recipe, splits = task["recipe"], task["splits"]
    for split in ("train", "dev"):
        write_kaldi(out / "data" / split, splits[split])
    tokens = learn_pieces(out, splits["train"], N_PIECES[recipe])
    config = {**COMMON, **RECIPES[recipe], **tokens, "seed": task["seed"], "num_workers": 1}
    (out / "train.yaml").write_text(yaml.safe_dump(config))
    stats, model = out / "stats", out / "model"
    train = [sys.executable, "-m", "espnet2.bin.asr_train", "--config", str(out / "train.yaml"), "--ngpu", "0"]
    if not (stats / "train" / "feats_stats.npz").is_file():
        shapes = [f"--{part}_shape_file={out}/data/{split}/speech_shape" for part, split in PARTS]
        run([*train, *data_of(out), *shapes, "--batch_type", "unsorted", "--batch_size", "16", "--collect_stats",
             "true", "--output_dir", str(stats)])  # fmt: skip
    shapes = [f"--{part}_shape_file={shape}" for part, split in PARTS for shape in shapes_of(stats / part, tokens)]
    normalize = ["--normalize", "global_mvn", "--normalize_conf", f"stats_file={stats}/train/feats_stats.npz"]
    run([*train, *data_of(out), *shapes, *normalize, "--output_dir", str(model)], task["budget_s"])
    decode(out, model, splits, BEAM[recipe], tokens["bpemodel"])


PARTS = (("train", "train"), ("valid", "dev"))


def write_kaldi(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Lists of audio, text, and lengths in samples."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, of in (
        ("wav.scp", lambda row: row["audio"]),
        ("text", lambda row: row["text"]),
        ("speech_shape", lambda row: round(16000 * row["seconds"])),
    ):
        (folder / name).write_text("".join(f"{row['id']} {of(row)}\n" for row in sorted(rows, key=lambda r: r["id"])))


def learn_pieces(out: Path, rows: list[dict[str, Any]], n_pieces: int) -> dict[str, Any]:
    """A unigram model of the transcripts; its pieces between ESPnet's own tokens."""
    prefix = out / "bpe"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([row["text"] for row in rows if row["speed"] == 1]),
        model_prefix=str(prefix),
        vocab_size=n_pieces,
        model_type="unigram",
        character_coverage=1.0,
        minloglevel=2,
    )
    pieces = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
    named = [pieces.id_to_piece(number) for number in range(len(pieces))]
    tokens = ["<blank>", "<unk>", *(p for p in named if p not in ("<unk>", "<s>", "</s>")), "<sos/eos>"]
    return {"token_type": "bpe", "bpemodel": f"{prefix}.model", "token_list": tokens, "use_preprocessor": True}


def data_of(out: Path) -> list[str]:
    """The lists to read, as arguments."""
    kinds = (("wav.scp", "speech", "sound"), ("text", "text", "text"))
    return [
        f"--{part}_data_path_and_name_and_type={out}/data/{split}/{file},{name},{kind}"
        for part, split in PARTS
        for file, name, kind in kinds
    ]


def shapes_of(folder: Path, tokens: dict[str, Any]) -> list[Path]:
    """What gathering statistics found, the number of tokens beside each text's length, as batches by size want it."""
    width = len(tokens["token_list"])
    lines = (folder / "text_shape").read_text().splitlines()
    (folder / "text_shape.bpe").write_text("".join(f"{line},{width}\n" for line in lines))
    return [folder / "speech_shape", folder / "text_shape.bpe"]


def run(command: list[str], budget_s: float | None = None) -> None:
    """Runs one of ESPnet's programs; one whose budget is spent is ended, which is no fault."""
    process = subprocess.Popen(command)
    try:
        if process.wait(budget_s) != 0:
            raise SystemExit(f"{command[2]} failed with status {process.returncode}")
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
        print(f"{command[2]}: the budget of {budget_s:g} s is spent")


def decode(out: Path, model: Path, splits: dict[str, Any], beam: int, bpemodel: str) -> None:
    """Averages the best epochs by ESPnet's own function, and writes what it recognises."""
    from espnet2.bin.asr_inference import Speech2Text
    from espnet2.main_funcs.average_nbest_models import average_nbest_models
    from espnet2.train.reporter import Reporter

    if not (model / "checkpoint.pth").is_file():
        raise SystemExit(f"no epoch ended within the budget; see {model}/train.log, or give more")
    reporter = Reporter()
    reporter.load_state_dict(torch.load(model / "checkpoint.pth", map_location="cpu", weights_only=False)["reporter"])
    n_best = min(COMMON["keep_nbest_models"], reporter.get_epoch())
    average_nbest_models(model, reporter, COMMON["best_model_criterion"], [n_best])
    recognize = Speech2Text(
        asr_train_config=str(model / "config.yaml"),
        asr_model_file=str(model / f"valid.acc.ave_{n_best}best.pth"),
        token_type="bpe",
        bpemodel=bpemodel,
        beam_size=beam,
        ctc_weight=0.3,
        lm_weight=0.0,
        penalty=0.0,
    )
    print(f"{reporter.get_epoch()} epochs, the best {n_best} averaged")
    for split in splits.keys() - {"train", "dev"}:
        (out / split).mkdir(exist_ok=True)
        with (out / split / "hyp.txt").open("w") as file:
            for row in splits[split]:
                text = recognize(soundfile.read(row["audio"], dtype="float32")[0])[0][0]
                file.write(f"{row['id']} {text or ''}\n")


if __name__ == "__main__":
    main()
