"""What a model of self-attention saw: every layer and head, from listener to tokens, as it is and as numbers."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asr.build import build_model
from asr.models.objective import history_of
from asr.recipe.load import load_recipe
from asr.recognizer.inspect import inspect
from asr.recognizer.pictures.maps import View
from asr.recognizer.recognizer import Recognizer
from asr.recognizer.sight import SightError, look
from asr.text.tokenizer import Tokenizer

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "digits" / "las.yaml"
SPELLER = "model.speller={kind: transformer, d_model: 16, n_layers: 2, n_heads: 2, d_feed_forward: 16}"
LISTENER = (
    "{{kind: {}, n_channels: 4, d_model: 16, d_feed_forward: 16, kernel_width: 3, n_layers: 3, self_attention: {}}}"
)
ATTENTIONS = {kind: f"{{kind: {kind}, n_heads: 4}}" for kind in ("full", "windowed", "pyramid", "graph")}
LISTENERS = [("conformer", "full"), ("e_branchformer", "windowed"), ("conformer", "pyramid"), ("conformer", "graph")]
SAMPLES = (0.1 * np.random.default_rng(0).standard_normal(12345)).astype(np.float32)
TEXT = "bad cab"


@pytest.fixture(scope="module", params=LISTENERS, ids=lambda kinds: "-".join(kinds))
def recognizer(request: pytest.FixtureRequest) -> Recognizer:
    kind, attention = request.param
    changes = [f"model.listener={LISTENER.format(kind, ATTENTIONS[attention])}", SPELLER, "model.attention=null"]
    recipe = load_recipe(RECIPE, [*changes, "objective.scheduled_sampling=0.0"])
    tokenizer = Tokenizer.train(["bad cab abc d"], "char")
    return Recognizer(build_model(recipe, tokenizer.n_tokens).eval(), tokenizer, recipe)


def test_a_sight_is_what_the_model_computes(recognizer: Recognizer):
    model, tokens = recognizer.model, recognizer.tokenizer.encode(TEXT)
    sight = look(model, recognizer.tokenizer, SAMPLES, lambda *_: tokens, listener=True)
    with torch.inference_mode():
        features = model.features(torch.from_numpy(SAMPLES)[None], torch.tensor([len(SAMPLES)]))
        history = history_of(torch.tensor([tokens]), recognizer.tokenizer.sos)
        outputs = model(*features, history, look=True)
    assert sight.heads == [f"layer {layer} head {head}" for layer in (1, 2) for head in (1, 2)]
    np.testing.assert_allclose(sight.attention.transpose(1, 0, 2), outputs.weights[0].numpy(), atol=1e-6)
    np.testing.assert_allclose(sight.posteriors, outputs.ctc_log_probs[0].exp().numpy(), atol=1e-6)
    n_states = outputs.ctc_log_probs.shape[1]
    assert sight.listener.shape == (3, 4, n_states, n_states)
    np.testing.assert_allclose(sight.listener.sum(-1), 1.0, atol=1e-5)
    assert sight.duration_s == pytest.approx(12345 / 16000)
    assert abs(sight.frames_s[1] - sight.duration_s) < 0.025
    assert 0 <= sight.states_s[1] - sight.frames_s[1] < 0.04


@pytest.mark.parametrize(
    ("view", "shape"),
    [
        (View(), (4, 9, "S")),
        (View(layer=2), (2, 9, "S")),
        (View(of_listener=True), (3, "S", "S")),
        (View(layer=3, head=4, of_listener=True), (1, "S", "S")),
        (View(rollout=True), (1, 9, "S")),
        (View(of_listener=True, rollout=True), (1, "S", "S")),
    ],
)
def test_any_view_of_it_as_numbers(recognizer: Recognizer, tmp_path: Path, view: View, shape: tuple[int | str, ...]):
    soundfile.write(tmp_path / "a.wav", SAMPLES, 16000)
    inspect(recognizer, tmp_path / "a.wav", tmp_path / "a.npz", text=TEXT, view=view)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as seen:
        n_states = len(seen["posteriors"])
        assert seen["maps"].shape == tuple(n_states if n == "S" else n for n in shape)
        assert len(seen["titles"]) == len(seen["maps"])
        np.testing.assert_allclose(seen["maps"].sum(-1), 1.0, atol=1e-5)
        assert ("listener" in seen) == (view.of_listener or view.rollout)


def test_a_layer_that_is_not_there_leaves_no_file(recognizer: Recognizer, tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", SAMPLES, 16000)
    with pytest.raises(SightError, match="layer 4: the listener's self-attention has layers 1 to 3"):
        inspect(recognizer, tmp_path / "a.wav", tmp_path / "a.png", text=TEXT, view=View(layer=4, of_listener=True))
    assert not (tmp_path / "a.png").exists()
