"""A trained model whatever its task: for commands that take any."""

from collections.abc import Callable, Sequence
from pathlib import Path

from asr.build import pick_device
from asr.models.classify_model import ClassifyModel
from asr.models.language_models.language_model import LanguageModel
from asr.ranks.group import Ranks
from asr.recognizer.classifier import Classifier
from asr.recognizer.confidence import Calibration
from asr.recognizer.default_model import choose_model
from asr.recognizer.evaluate import Evaluation, Showing, evaluate
from asr.recognizer.evaluate_labels import LabelEvaluation, evaluate_labels
from asr.recognizer.language_models import load_language_models
from asr.recognizer.model_folder import load_model
from asr.recognizer.perplexity import Perplexity, TextModel, evaluate_text
from asr.recognizer.recognizer import Recognizer
from asr.text.labels import Labels

Trained = Recognizer | Classifier | TextModel


def load_trained(folder: Path | None, *, device: str = "auto", search: Sequence[str] = ()) -> Trained:
    """Reads a model folder; arguments and errors as of `Recognizer.load` and `Classifier.load`."""
    place = pick_device(device)
    folder, search = choose_model(folder, search)
    recipe, vocabulary, model = load_model(folder, [f"search.{change}" for change in search])
    if not isinstance(model, ClassifyModel):
        assert not isinstance(vocabulary, Labels)
        if isinstance(model, LanguageModel):
            return TextModel(model.to(place), vocabulary, recipe)
        others = load_language_models(recipe, folder, model, vocabulary, place)
        return Recognizer(model.to(place), vocabulary, recipe, others, Calibration.load(folder))
    assert isinstance(vocabulary, Labels)
    return Classifier(model.to(place), vocabulary, recipe)


def evaluate_trained(
    trained: Trained,
    test_set: Path,
    out: Path | None,
    ranks: Ranks,
    progress: Callable[[int, int], None],
    showing: Showing | None = None,
) -> Evaluation | LabelEvaluation | Perplexity:
    """Scores a model on a test set, as its task asks; see `evaluate`, `evaluate_labels` and `evaluate_text`."""
    if isinstance(trained, TextModel):
        return evaluate_text(trained, test_set, out, ranks, progress)
    if isinstance(trained, Classifier):
        return evaluate_labels(trained, test_set, out, ranks=ranks, progress=progress)
    return evaluate(trained, test_set, out, ranks=ranks, progress=progress, showing=showing)
