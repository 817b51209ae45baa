"""Hostile recipes, models and folders of runs."""

import json
import re
from pathlib import Path

from hostile.payloads import DEEP, ESCAPE, command, endless, numpy_saved, pickled, pipe, put, row, tensors, torch_saved
from hostile.place import Case, Place

from asr.corpora.utterances import Utterances
from asr.training.checkpoint import MANIFEST_NAME, write_directory, writer

BASE = """
data: {train: [t.jsonl], dev: [t.jsonl]}
tokenizer: {kind: char}
model: {listener: {kind: pyramid}, attention: {kind: additive}, speller: {kind: lstm}}
"""


def recipe_of(train: object) -> str:
    return BASE.replace("t.jsonl", json.dumps(str(train)))


RECIPES: dict[str, Case] = {
    "a call by a tag": (
        lambda p: p.train(f"{BASE}training: !!python/object/apply:os.system ['{command(p.mark)}']\n"),
        2,
        "tag .*os.system.* is not taken",
    ),
    "an object by a tag": (lambda p: p.train(f"{BASE}search: !!python/object/new:os.system [x]\n"), 2, "tag"),
    "a name by a tag": (lambda p: p.train(f"{BASE}search: !!python/name:os.system\n"), 2, "tag"),
    "a module by a tag": (lambda p: p.train(f"{BASE}search: !!python/module:os\n"), 2, "tag"),
    "a class of HyperPyYAML": (lambda p: p.train(f"{BASE}search: !new:os.system\n  - x\n"), 2, "tag"),
    "a file by a tag": (lambda p: p.train(f"{BASE}search: !include /etc/passwd\n"), 2, "tag"),
    "bytes by a tag": (lambda p: p.train(f"{BASE}search: !!binary AAAA\n"), 2, "tag"),
    "a target of Hydra": (lambda p: p.train(f"{BASE}search: {{_target_: os.system}}\n"), 2, "_target_"),
    "a tag in an override": (
        lambda p: p.train(BASE, f"training.seed=!!python/object/apply:os.system ['{command(p.mark)}']"),
        2,
        "tag",
    ),
    "a bomb of aliases": (
        lambda p: p.train(
            "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdef", "bcdefg", strict=True))
        ),
        2,
        "anchors and aliases",
    ),
    "a merge of an alias": (lambda p: p.train(f"{BASE}x: &x {{seed: 1}}\ntraining: {{<<: *x}}\n"), 2, "anchors"),
    "depth without end": (lambda p: p.train(f"{BASE}search: {DEEP}\n"), 2, "r.yaml"),
    "a recipe without end": (lambda p: p.train(b"x" * 2_000_000), 2, "larger than 1000000 bytes"),
    "a pickle for a recipe": (lambda p: p.train(pickled(p.mark)), 2, "not UTF-8"),
    "a pipe for a recipe": (lambda p: ["train", pipe(p.top / "r.yaml"), "--out", p.out], 2, "a pipe or a device"),
    "a device for a recipe": (lambda p: ["train", endless(p.top / "r.yaml"), "--out", p.out], 2, "a pipe or a device"),
    "codes in a key": (lambda p: p.train(f'{BASE}"\\e[2Jsearch": 1\n'), 2, r"\\x1b\[2Jsearch"),
    "codes in a path": (lambda p: p.train(BASE.replace("[t.jsonl]", '["\\e[2J.jsonl"]', 1)), 1, r"\\x1b\[2J\.jsonl"),
    "a device for a manifest": (lambda p: p.train(recipe_of("/dev/zero")), 1, "a pipe or a device"),
    "a pipe for a manifest": (lambda p: p.train(recipe_of(pipe(p.top / "t.jsonl"))), 1, "a pipe or a device"),
}

MODELS: dict[str, Case] = {
    "pickled weights": (
        lambda p: p.transcribe(model_safetensors=pickled(p.mark)),
        1,
        "cannot be read as safetensors",
    ),
    "weights by torch.save": (
        lambda p: p.transcribe(model_safetensors=torch_saved(p.mark)),
        1,
        "cannot be read as safetensors",
    ),
    "a header as long as the world": (
        lambda p: p.transcribe(model_safetensors=tensors("{}", 1 << 62)),
        1,
        "cannot be read as safetensors",
    ),
    "a header without end": (
        lambda p: p.transcribe(model_safetensors=tensors(DEEP)),
        1,
        "cannot be read as safetensors",
    ),
    "weights beyond the file": (
        lambda p: p.transcribe(
            model_safetensors=tensors('{"a":{"dtype":"F32","shape":[9999999999],"data_offsets":[0,39999999996]}}')
        ),
        1,
        "cannot be read as safetensors",
    ),
    "weights of another network": (
        lambda p: p.transcribe(
            model_safetensors=tensors('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', content=b"1234")
        ),
        1,
        "does not fit",
    ),
    "a network as large as the world": (
        lambda p: p.transcribe(
            recipe_yaml=p.recipe(lambda text: re.sub(r"d_hidden: 32", "d_hidden: 16384", text)),
        ),
        1,
        "does not fit",
    ),
    "a tag in its recipe": (
        lambda p: p.transcribe(
            recipe_yaml=p.whole["recipe.yaml"] + f"x: !!python/object/apply:os.system ['{command(p.mark)}']\n".encode()
        ),
        2,
        "tag",
    ),
    "a pickled tokenizer": (lambda p: p.transcribe(tokenizer_model=pickled(p.mark)), 1, "not a sentencepiece model"),
    "a tokenizer that is none": (lambda p: p.transcribe(tokenizer_model=b"\n\x05hello"), 1, "tokenizer.model"),
    "a pickled list of files": (
        lambda p: [*p.transcribe(), put(p.top / "model" / MANIFEST_NAME, pickled(p.mark))][:-1],
        1,
        "damaged",
    ),
    "a list of files without end": (
        lambda p: [*p.transcribe(), put(p.top / "model" / MANIFEST_NAME, DEEP)][:-1],
        1,
        "damaged",
    ),
    "a list of files that leads out": (
        lambda p: [*p.transcribe(), _list_outside(p.top / "model" / MANIFEST_NAME)][:-1],
        1,
        "evil: missing",
    ),
    "a pickled calibration": (lambda p: p.transcribe(calibration_json=pickled(p.mark)), 1, "calibration"),
    "a calibration without end": (lambda p: p.transcribe(calibration_json=DEEP.encode()), 1, "no calibration"),
    "a calibration of other values": (
        lambda p: p.transcribe(calibration_json=b'{"bias": 1e999, "weights": [1], "n_words": "x", "n_wrong": {}}'),
        1,
        "no calibration",
    ),
    "code beside the weights": (
        lambda p: p.transcribe(
            modeling_py=f"import os; os.system('{command(p.mark)}')".encode(), pytorch_pkl=pickled(p.mark)
        ),
        0,
        "",
    ),
    "phrases without end": (
        lambda p: p.transcribe(recipe_yaml=p.recipe(lambda text: text.replace("phrases: null", "phrases: /dev/zero"))),
        1,
        "a pipe or a device",
    ),
    "an n-gram model that is a pipe": (
        lambda p: p.transcribe(
            recipe_yaml=p.recipe(lambda text: text.replace("ngram: null", f"ngram: {pipe(p.top / 'n.arpa')}"))
        ),
        1,
        "n.arpa: no such file",
    ),
    "labels without end": (lambda p: _classify(p, DEEP), 1, "labels.json: not JSON"),
    "labels that steer a terminal": (lambda p: _classify(p, json.dumps([ESCAPE, "b"])), 1, "expected a list of labels"),
    "a start from pickled weights": (
        lambda p: p.train(recipe_of(_train_on(p)), "--init-from", p.model(model_safetensors=torch_saved(p.mark))),
        1,
        "cannot be read as safetensors",
    ),
    "the tokens of a pickled tokenizer": (
        lambda p: p.train(
            recipe_of(_train_on(p)),
            f"tokenizer={{kind: trained, folder: {p.model(tokenizer_model=pickled(p.mark))}}}",
        ),
        1,
        "not a sentencepiece model",
    ),
}

CHECKPOINTS: dict[str, Case] = {
    "pickled weights": (lambda p: p.run(model_safetensors=pickled(p.mark)), 1, "cannot be read as safetensors"),
    "a pickled optimizer": (lambda p: p.run(learner_safetensors=torch_saved(p.mark)), 1, "safetensors|no checkpoint"),
    "a pickled position": (lambda p: p.run(state_json=pickled(p.mark)), 1, "no checkpoint of this run"),
    "a position without end": (lambda p: p.run(state_json=DEEP.encode()), 1, "no checkpoint of this run"),
    "a position of other values": (lambda p: p.run(state_json=b'{"data": 1, "step": []}'), 1, "other training data"),
    "a position that lacks values": (lambda p: p.run(state_json=b"{}"), 1, "no checkpoint of this run"),
    "pickled counts of tokens": (lambda p: [*p.run(state_json=b"{}"), _counts(p)][:-1], 1, "no checkpoint"),
    "figures without end": (lambda p: ["report", _reported(p, DEEP)], 1, "expected a row of figures"),
    "figures that steer a terminal": (lambda p: ["report", _reported(p, f'"{ESCAPE}"')], 1, "expected a row"),
}


def _list_outside(path: Path) -> None:
    """A model's list of files names one more, whose name leads out."""
    text = path.read_text()
    listed = json.loads(text)
    listed["files"]["../evil"] = {"sha256": "0" * 64, "size": 1}
    path.write_text(json.dumps(listed, indent=1, sort_keys=True) + "\n")


def _train_on(p: Place) -> Path:
    p.sound()
    return p.put("t.jsonl", row(text="abba"))


def _classify(p: Place, labels: str) -> list[object]:
    recipe = p.recipe(
        lambda text: re.sub(r"^task:\n  kind: transcribe\n", "task: {kind: classify, label: text}\n", text)
    )
    recipe = re.sub(rb"^tokenizer:\n  kind: char\n", b"tokenizer: null\n", recipe, flags=re.M)
    recipe = re.sub(rb"^  (attention|speller):\n(    .*\n)+", rb"  \1: null\n", recipe, flags=re.M)
    recipe = re.sub(rb"^(objective|search):\n(  .*\n)+", b"", recipe, flags=re.M)
    return ["classify", "--model", p.model(recipe_yaml=recipe, labels_json=labels.encode()), p.sound()]


def _counts(p: Place) -> None:
    """What a first start would have kept, with an array of objects in it."""
    manifest = p.top / "t.jsonl"
    about = {"train": Utterances([manifest]).fingerprint, "tokenizer": {"kind": "char"}, "seed": 1}
    files = {
        "tokenizer.model": p.whole["tokenizer.model"],
        "n_tokens.npy": numpy_saved(p.mark),
        "about.json": json.dumps(about, indent=1).encode(),
    }
    write_directory(p.out / "vocabulary", {name: writer(content) for name, content in files.items()})


def _reported(p: Place, line: str) -> Path:
    p.put("exp/metrics.jsonl", f"{line}\n")
    return p.top / "exp"
