"""The table of kinds: what each part of the network costs, how that grows, and whose idea it is.

`python -m asr.recognizer.kinds > recipes/KINDS.md` writes it.
"""

from collections.abc import Sequence

import torch

from asr.audio.read import RATE_HZ
from asr.build import build_model
from asr.dataset.batches import Batch
from asr.models.asr_model import AsrModel
from asr.recipe.kinds import COMMON_KINDS, COMMON_SIZES, Kind, all_kinds
from asr.recipe.schema import Recipe
from asr.text.tokenizer import Tokenizer
from asr.training.floor import forward_flop
from asr.training.objectives import SpellingObjective

AUDIO_S, N_TOKENS, N_VOCABULARY = 10, 40, 1000
OBJECTIVE = SpellingObjective(0.3, 0.0, 0.0, Tokenizer.sos, Tokenizer.eos)

INTRODUCTION = """# Kinds

Written by `python -m asr.recognizer.kinds > recipes/KINDS.md`; a test tells when it is to be written anew.

Parameters and operations are those of a whole model in which one part is of that kind and the others are common:
{common}; a part within a part stands in the first kind that can hold it.
Sizes, where a kind has them: {sizes};
other values are the defaults, and there are {n_vocabulary} tokens. Operations are those of matrix products,
convolutions and LSTMs in a training pass forward, over {audio_s} s of audio with {n_tokens} tokens, per second of
audio. Growth is that of the part's own operations with T frames, S states and U tokens.
"""


def kind_model(kind: Kind) -> AsrModel:
    """Builds the common model with one part of that kind."""
    values = {"data": {"train": ("-",), "dev": ("-",)}, "tokenizer": {"kind": "char"}, "model": kind.model}
    model = build_model(Recipe.model_validate(values), N_VOCABULARY)
    assert isinstance(model, AsrModel)
    return model


def kind_flop(model: AsrModel) -> float:
    """Operations forward per second of audio."""
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(1, AUDIO_S * RATE_HZ, generator=generator) / 10
    tokens = torch.randint(4, N_VOCABULARY, (1, N_TOKENS), generator=generator)
    one, lens = torch.ones(1), torch.tensor([samples.shape[1]])
    return forward_flop(
        model,
        OBJECTIVE,
        Batch(["-"], samples, lens, tokens, torch.tensor([N_TOKENS]), one.double(), one.long(), torch.zeros(1, 0)),
    )


def kind_row(kind: Kind, n_parameters: int, flop_per_s: float) -> str:
    """A line of the table."""
    section = kind.section
    cells = (
        f"`{kind.name}`",
        kind.purpose,
        f"{n_parameters / 1e6:.3f} M",
        f"{flop_per_s / 1e9:.3f}",
        section.complexity,
        section.paper,
    )
    return f"| {' | '.join(cells)} |"


def kind_table(kinds: Sequence[Kind]) -> str:
    """The whole page."""
    common = ", ".join(f"{part} `{name}`" for part, name in COMMON_KINDS.items())
    sizes = ", ".join(f"`{name}` {size}" for name, size in COMMON_SIZES.items())
    lines = [
        INTRODUCTION.format(
            common=common, sizes=sizes, n_vocabulary=N_VOCABULARY, audio_s=AUDIO_S, n_tokens=N_TOKENS
        ).rstrip()
    ]
    for part in dict.fromkeys(kind.part for kind in kinds):
        lines += ["", f"## {part}", "", "| kind | what | parameters | GFLOP/s of audio | growth | paper |"]
        lines += ["|---|---|---:|---:|---|---|"]
        for kind in kinds:
            if kind.part == part:
                model = kind_model(kind)
                n_parameters = sum(weights.numel() for weights in model.parameters())
                lines.append(kind_row(kind, n_parameters, kind_flop(model)))
    return "\n".join(lines)


if __name__ == "__main__":
    print(kind_table(all_kinds()))
