"""The two networks that the benchmarks time, and how the peers' programs are asked to time theirs; not to be run.

The 33 M LAS: VGG, four BLSTM layers of 512, location attention, one LSTM, 1000 tokens. The 47 M Conformer: twelve
blocks of width 256 with 4 heads, feed-forward layers of 2048 and filters of 31 states, six Transformer layers likewise,
5000 tokens. Two virtual environments, `sb` and `espnet`, and the programs speechbrain_bench.py and espnet_bench.py
build the same and print a JSON row for each thing that they timed.
"""

import json
import os
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from asr.audio.logmel import LogMel
from asr.models.asr_model import AsrModel
from asr.models.attention.additive import LocationAttention
from asr.models.attention.relative import RelativeSelfAttention
from asr.models.listeners.conformer import ConformerListener
from asr.models.listeners.vgg_blstm import VggBlstmListener
from asr.models.spellers.lstm import LstmSpeller
from asr.models.spellers.transformer import TransformerSpeller

N_TOKENS = {"las": 1000, "conformer": 5000}
ARCHITECTURES = {"las": "las_blstm", "conformer": "conformer_aed"}  # the peers' names
PEERS = {"SpeechBrain": ("sb", "speechbrain_bench.py"), "ESPnet": ("espnet", "espnet_bench.py")}


def neutral_model(name: str) -> AsrModel:
    """One of the two, randomly initialised."""
    return _las() if name == "las" else _conformer()


def _las() -> AsrModel:
    listener = VggBlstmListener(80, (64, 128), d_hidden=512, d_projection=512, n_layers=4, dropout=0.1)
    attention = LocationAttention(512, 512, d_attention=512, n_filters=10, filter_width=201)
    n_tokens = N_TOKENS["las"]
    speller = LstmSpeller(attention, n_tokens, d_embedding=512, d_hidden=512, n_layers=1, dropout=0.1)
    return AsrModel(LogMel(80), listener, speller, n_tokens)


def _conformer() -> AsrModel:
    listener = ConformerListener(
        80,
        n_channels=256,
        d_model=256,
        d_feed_forward=2048,
        kernel_width=31,
        n_layers=12,
        dropout=0.1,
        self_attention=partial(RelativeSelfAttention, n_heads=4),
    )
    n_tokens = N_TOKENS["conformer"]
    speller = TransformerSpeller(
        n_tokens, d_states=256, d_model=256, n_layers=6, n_heads=4, d_feed_forward=2048, dropout=0.1
    )
    return AsrModel(LogMel(80), listener, speller, n_tokens)


def peer_cells(
    peers: Path | None, programs: Path | None, model: str, wanted: list[str]
) -> list[tuple[str, list[str], Path]]:
    """The peers' commands to time a model: name, command, folder to run it in; none where a folder is not given."""
    if peers is None or programs is None:
        return []
    found = []
    for name, (venv, program) in PEERS.items():
        python = str(peers.absolute() / venv / "bin" / "python")
        found.append((name, [python, program, "--arch", ARCHITECTURES[model], *wanted], programs))
    return found


def rows_of(command: list[str], folder: Path | None, tasks: list[str]) -> list[dict[str, Any]]:
    """Runs a process and returns the JSON rows that it printed about these tasks."""
    with tempfile.TemporaryDirectory() as scratch:
        # Where ESPnet's program keeps its model, and with how many threads both work.
        environment = os.environ | {"BENCH_TMP": scratch, "BENCH_THREADS": os.environ["OMP_NUM_THREADS"]}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    rows = [row for row in rows if row.get("task") in tasks]
    if not rows:
        raise SystemExit(f"{' '.join(command)} printed no row:\n{done.stderr[-2000:]}")
    return rows
