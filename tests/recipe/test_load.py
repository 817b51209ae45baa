from pathlib import Path

import pytest
from pydantic import ValidationError

from asr.recipe.load import RecipeError, dump_recipe, load_recipe


def refusal(path: Path, *overrides: str) -> str:
    with pytest.raises(RecipeError) as error:
        load_recipe(path, overrides)
    return str(error.value)


def test_defaults_fill_what_is_left_out(recipe_file):
    recipe = load_recipe(recipe_file)
    assert recipe.data.train == (Path("a/train.jsonl"),)
    assert recipe.training.peak_lr == 1e-3
    assert recipe.model.listener.kind == "pyramid"
    assert recipe.augment.spec_augment.max_freq_bins == 27


def test_dump_and_load_give_the_same_recipe(any_recipe_file, tmp_path):
    recipe = load_recipe(any_recipe_file)
    copy = tmp_path / "copy.yaml"
    copy.write_text(dump_recipe(recipe))
    assert load_recipe(copy) == recipe


def test_recipe_is_frozen(recipe_file):
    recipe = load_recipe(recipe_file)
    with pytest.raises(ValidationError, match="frozen"):
        recipe.training.seed = 2


def test_overrides_are_yaml(recipe_file):
    recipe = load_recipe(
        recipe_file,
        ["training.peak_lr=1e-4", "data.dev=[b.jsonl, c.jsonl]", "model.attention={kind: location, n_filters: 4}"],
    )
    assert recipe.training.peak_lr == 1e-4
    assert recipe.data.dev == (Path("b.jsonl"), Path("c.jsonl"))
    assert recipe.model.attention.kind == "location"
    assert recipe.model.attention.n_filters == 4


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.seed=1.5", "training.seed = 1.5: expected a whole number"),
        ("training.seed=yes", 'training.seed = "yes": expected a whole number'),
        ("training.seed=", "training.seed = null: expected a whole number"),
        ('training.peak_lr="1e-3"', 'training.peak_lr = "1e-3": expected a number'),
        ("training.peak_lr=.nan", "training.peak_lr = NaN: expected a finite number"),
        ("training.peak_lr=true", "training.peak_lr = true: expected a number"),
        ("training.peak_lr=0", "training.peak_lr = 0: expected more than 0"),
        ("training.peak_lr=3", "training.peak_lr = 3: expected at most 1"),
        ("training.n_steps=0", "training.n_steps = 0: expected at least 1"),
        ("training.warmup_steps=20000", "training.warmup_steps = 20000: expected at most n_steps = 10000"),
        ("training.device=tpu", 'training.device = "tpu": expected auto or cpu or cuda'),
        ("model.listener.dropout=1.0", "model.listener.dropout = 1.0: expected less than 1"),
        ("model.listener={kind: pyramd}", "did you mean pyramid?"),
        ("model.listener=pyramid", 'model.listener = "pyramid": expected a section with keys'),
        ("model.listener.n_channels=3", "model.listener.n_channels: unknown key"),
        ("model.attention={kind: location, filter_width: 4}", "filter_width = 4: expected an odd number"),
        ("model.speller={kind: transformer, d_model: 6}", "d_model = 6: expected an even multiple of n_heads = 4"),
        ("model.speller={kind: transformer, d_model: 5, n_heads: 5}", "d_model = 5: expected an even multiple of"),
        ("model.speller={kind: transformer}", "model.attention.kind = additive: expected no section"),
        ("model.attention={kind: dot, d_attention: 10, n_heads: 4}", "expected a multiple of n_heads = 4"),
        ("model.attention=", "model.attention: missing; a speller of kind lstm needs one"),
        ("features=80", "features = 80: expected a section with keys"),
        ("features.hop_s=0.03", "features.hop_s = 0.03: expected at most window_s = 0.025"),
        ("features.n_mels=20", "augment.spec_augment.max_freq_bins = 27: expected at most features.n_mels = 20"),
        ("data.dev=[]", "data.dev = []: expected a list that is not empty"),
        ("data.dev=[3]", "data.dev.0 = 3: expected a path"),
        ("data.dev=a.jsonl", 'data.dev = "a.jsonl": expected a list'),
        ("tokenizer={kind: bpe}", "tokenizer.vocab_size: missing"),
        ("training.beam_size=4", "did you mean search.beam_size?"),
        ("objective.ctc_weight=0", "search.ctc_weight = 0.3: expected 0, since objective.ctc_weight = 0 trains no CTC"),
        ("task={kind: translate, target: ''}", 'task.target = "": expected'),
        ("task={kind: classify}", "task.label: missing"),
        ("task={kind: classify, label: speaker}", "tokenizer: leave it out; task.kind = classify writes no text"),
        ("tokenizer=null", "tokenizer: missing; task.kind = transcribe writes text"),
        ("model.speller=null", "model.speller: missing; task.kind = transcribe writes text"),
        ("training", "expected section.key=value"),
        ("training..seed=1", "expected section.key=value"),
        ("training.seed.x=1", "training.seed = "),
        ("data.train.0=a", "data.train is not a section"),
        ("training.seed=[", "override 'training.seed=[': not YAML"),
    ],
)
def test_wrong_override_is_refused_in_words(recipe_file, override, words):
    message = refusal(recipe_file, override)
    assert words in message
    assert f"override {override!r}: " in message or message.startswith(f"{recipe_file}: ")
    assert len(message.splitlines()) == 1


def test_a_speller_that_looks_from_everywhere_at_once_refuses_attention_with_a_past(recipe_file):
    assert load_recipe(recipe_file, ["model.speller.kind=parallel_lstm"]).model.attention.kind == "additive"
    message = refusal(recipe_file, "model.speller.kind=parallel_lstm", "model.attention={kind: location}")
    assert "model.attention.kind = location: expected dot or scaled_dot or additive, since" in message


def test_a_speller_with_its_own_attention_needs_no_section(recipe_file):
    recipe = load_recipe(recipe_file, ["model.speller={kind: transformer, n_layers: 2}", "model.attention="])
    assert recipe.model.attention is None


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("search.beam_size=3", "search.beam_size"),
        ("objective.ctc_weight=0.5", "objective.ctc_weight"),
        ("model.attention={kind: additive}", "model.attention"),
        ("model.speller={kind: transformer}", "model.speller"),
    ],
)
def test_what_classifying_would_ignore_is_refused(override, key):
    recipe = Path(__file__).resolve().parents[2] / "recipes" / "fsdd_digits" / "classify.yaml"
    assert load_recipe(recipe, ["search.batch_s=50.0", "objective.label_smoothing=0.2"]).task.target == "text"
    assert f"{key}: leave it out; task.kind = classify writes no text" in refusal(recipe, override)


def test_a_method_that_needs_ctc_is_refused_without_it(recipe_file):
    without = ["objective.ctc_weight=0", "search.ctc_weight=0"]
    assert load_recipe(recipe_file, [*without, "search.method=greedy"]).search.method == "greedy"
    message = refusal(recipe_file, *without, "search.method=ctc")
    assert "search.method = ctc: expected another, since objective.ctc_weight = 0 trains no CTC" in message


def test_phrases_are_for_a_method_that_asks_them(recipe_file):
    assert load_recipe(recipe_file, ['search.phrases="my: list.txt"']).search.phrases == Path("my: list.txt")
    message = refusal(recipe_file, "search.phrases=a.txt", "search.method=greedy")
    assert "search.phrases = a.txt: expected null, since method = greedy asks no phrases" in message


def test_the_same_override_twice_is_refused(recipe_file):
    assert "already set by 'training.seed=1'" in refusal(recipe_file, "training.seed=1", "training.seed=2")


def test_a_fault_names_file_and_line_and_all_faults_are_told(recipe_file):
    with recipe_file.open("a") as file:
        file.write("training:\n  seed: -1\n  n_step: 5\n")
    lines = refusal(recipe_file).splitlines()
    assert lines[0].startswith(f"{recipe_file}:9: training.n_step: unknown key (= 5); did you mean training.n_steps?")
    assert lines[1].startswith(f"{recipe_file}:8: training.seed = -1: expected at least 0")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "data: missing"),
        (b"- 1\n", "the recipe = [1]: expected a section with keys"),
        (b"data: {train: [a]\n", "not YAML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"#" * 1_000_001, "larger than"),
        (b"training: {seed: 1}\ntraining: {seed: 2}\n", ":2: training: key given twice, first in line 1"),
    ],
)
def test_what_is_no_recipe_is_refused(tmp_path, content, words):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    message = refusal(path)
    assert words in message
    assert message.startswith(f"{path}:")


def test_missing_file_is_refused(tmp_path):
    assert "No such file" in refusal(tmp_path / "no.yaml")
