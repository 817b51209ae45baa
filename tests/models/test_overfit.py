"""Every listener, attention and speller learns four utterances by heart: word error rate 0, decoded greedily.

To add a kind, write one line into KINDS: its name in the test, and the sections of `model` that differ from BASE. A
section that names another `kind` than BASE's replaces BASE's; `None` takes it away. Keep widths tiny: a line may cost
three to six seconds on one core.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from tones import speak

from asr.audio.augment import Augmentation
from asr.build import build_learner_settings, build_model, build_objective
from asr.dataset.batches import Batch, pad
from asr.models.asr_model import AsrModel
from asr.ranks.group import Ranks
from asr.recipe.load import load_recipe
from asr.scoring.corpus import score
from asr.search.greedy import greedy_search
from asr.text.tokenizer import Tokenizer
from asr.training.learner import Learner

TEXTS = ["ab", "c da", "b ac", "dcab"]
N_STEPS, LOOK_EVERY = 300, 10

CONV_BLSTM = {"kind": "conv_blstm", "n_channels": 8, "d_hidden": 24, "n_layers": 1, "dropout": 0.0}
BASE: dict[str, Any] = {
    "listener": CONV_BLSTM,
    "attention": {"kind": "additive", "d_attention": 24},
    "speller": {"kind": "lstm", "d_embedding": 16, "d_hidden": 32, "dropout": 0.0},
}
BLOCKS: dict[str, Any] = {
    "n_channels": 8,
    "d_model": 32,
    "d_feed_forward": 32,
    "kernel_width": 7,
    "n_layers": 2,
    "dropout": 0.0,
    "self_attention": {"kind": "full", "n_heads": 2},
}
CONFORMER = {"kind": "conformer", **BLOCKS, "n_layers": 1}
KINDS: dict[str, dict[str, Any]] = {
    "conv_blstm-additive-lstm": {},
    "pyramid": {"listener": {"kind": "pyramid", "d_hidden": 24, "n_layers": 2, "dropout": 0.0}},
    "vgg_blstm": {
        "listener": {
            "kind": "vgg_blstm",
            "n_channels": [4, 8],
            "d_hidden": 24,
            "d_projection": 32,
            "n_layers": 1,
            "dropout": 0.0,
        }
    },
    "conformer": {"listener": {"kind": "conformer", **BLOCKS}},
    "e_branchformer": {"listener": {"kind": "e_branchformer", "d_gated": 32, **BLOCKS}},
    "squeeze_excitation": {
        "listener": CONV_BLSTM | {"image_attention": {"kind": "squeeze_excitation", "reduction": 2}}
    },
    "two_dimensional": {"listener": CONV_BLSTM | {"image_attention": {"kind": "two_dimensional", "n_heads": 2}}},
    "windowed": {"listener": CONFORMER | {"self_attention": {"kind": "windowed", "n_heads": 2, "window": 4}}},
    "pyramid of keys": {"listener": CONFORMER | {"self_attention": {"kind": "pyramid", "n_heads": 2, "n_near": 1}}},
    "graph": {"listener": CONFORMER | {"self_attention": {"kind": "graph", "n_heads": 2, "n_near": 2}}},
    "squeezed conformer": {"listener": CONFORMER | {"image_attention": {"kind": "squeeze_excitation", "reduction": 2}}},
    "location": {"attention": {"kind": "location", "d_attention": 24, "n_filters": 4, "filter_width": 9}},
    "transformer": {
        "attention": None,
        "speller": {
            "kind": "transformer",
            "d_model": 32,
            "n_layers": 2,
            "n_heads": 2,
            "d_feed_forward": 64,
            "dropout": 0.0,
        },
    },
    "dot": {"attention": {"kind": "dot", "d_attention": 24, "n_heads": 2}},
    "scaled_dot": {"attention": {"kind": "scaled_dot", "d_attention": 24}},
    "coverage": {"attention": {"kind": "coverage", "d_attention": 24, "n_heads": 2}},
    "gmm": {"attention": {"kind": "gmm", "d_attention": 24}},
    "monotonic": {"attention": {"kind": "monotonic", "d_attention": 24}},
    "mocha": {"attention": {"kind": "mocha", "d_attention": 24}},
    "parallel_lstm": {"speller": {"kind": "parallel_lstm", "d_embedding": 16, "d_hidden": 32, "dropout": 0.0}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_four_utterances_are_learnt_by_heart(kind: str, tmp_path: Path) -> None:
    recipe_file = tmp_path / "recipe.yaml"
    recipe_file.write_text(yaml.safe_dump(recipe_of(KINDS[kind])))
    recipe = load_recipe(recipe_file)
    tokenizer = Tokenizer.train(TEXTS, "char")
    model = build_model(recipe, tokenizer.n_tokens)
    learner = Learner(model, build_objective(recipe), build_learner_settings(recipe), Ranks())
    batch, wers = make_batch(tokenizer), []
    for number in range(N_STEPS):
        learner.step(number, [batch], Augmentation())
        if number % LOOK_EVERY == LOOK_EVERY - 1:
            wers.append(wer(model, batch, tokenizer))
        if wers and wers[-1] == 0.0:
            return
    pytest.fail(f"after {N_STEPS} steps the word error rates were {wers}")


def recipe_of(sections: dict[str, Any]) -> dict[str, Any]:
    """The values of a recipe whose model is BASE with these sections in place of its own."""
    model = {name: section for name, section in (BASE | sections).items() if section is not None}
    return {
        "data": {"train": ["none.jsonl"], "dev": ["none.jsonl"]},
        "features": {"n_mels": 20},
        "tokenizer": {"kind": "char"},
        "augment": {"spec_augment": None},
        "model": model,
        "objective": {"label_smoothing": 0.0},
        "training": {"n_steps": N_STEPS, "warmup_steps": 10, "peak_lr": 1e-2, "weight_decay": 0.0, "device": "cpu"},
    }


def make_batch(tokenizer: Tokenizer) -> Batch:
    """TEXTS, spoken in tones."""
    rng = np.random.default_rng(0)
    spoken = [np.concatenate([speak(letter, rng) for letter in f" {text} "]) for text in TEXTS]
    samples, sample_lens = pad([torch.from_numpy(each) for each in spoken])
    tokens, token_lens = pad([torch.tensor(tokenizer.encode(text)) for text in TEXTS])
    n = len(TEXTS)
    speeds, keys = torch.ones(n, dtype=torch.float64), torch.arange(n)
    return Batch(list(TEXTS), samples, sample_lens, tokens, token_lens, speeds, keys, torch.zeros(n, 0))


@torch.inference_mode()
def wer(model: AsrModel, batch: Batch, tokenizer: Tokenizer) -> float:
    """Word error rate of greedy decoding, the speller by itself."""
    states, state_lens = model.eval().encode(*model.features(batch.samples, batch.sample_lens))
    hypotheses = greedy_search(model, states, state_lens)
    return score(
        dict(zip(TEXTS, TEXTS, strict=True)),
        {text: tokenizer.decode(hypothesis.tokens) for text, hypothesis in zip(TEXTS, hypotheses, strict=True)},
    ).wer
