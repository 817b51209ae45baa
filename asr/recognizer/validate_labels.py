"""What the trainer of a classifier asks after every so many steps: how many labels does it get wrong?"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from asr.corpora.manifest import Utterance, read_utterance
from asr.ranks.group import Ranks
from asr.recognizer.classifier import Classifier
from asr.recognizer.decode import Stretch, decode
from asr.recognizer.pictures.maps import ALL, maps_of
from asr.text.labels import LabelError
from asr.training.trainer import Validation


class LabelValidator:
    """Names the utterances of dev.

    Args:
        classifier: The model in training.
        dev: Its development set.
        pictures: Folder for pictures of attention on the longest dev utterance.
        ranks: The processes that share the work; all of them get the same result.

    Raises:
        LabelError: Dev has labels that the training set lacks.
    """

    def __init__(self, classifier: Classifier, dev: Sequence[Utterance], pictures: Path, ranks: Ranks) -> None:
        unknown = Counter(utterance.text for utterance in dev if utterance.text not in classifier.labels)
        if unknown:
            named = ", ".join(f"{label!r} ({count} utterances)" for label, count in sorted(unknown.items()))
            raise LabelError(
                f"dev has labels under {classifier.recipe.task.target!r} that no training utterance has: {named}; "
                f"known are {', '.join(map(repr, classifier.labels.names))}"
            )
        self.classifier = classifier
        self.dev = dev
        self.pictures = pictures
        self.ranks = ranks

    def __call__(self, step: int) -> Validation:
        """Validates the model as it stands; `step` names the picture."""
        batch_s = self.classifier.recipe.search.batch_s
        rows = decode(self.classifier.model, self.dev, self._answer, batch_s, self.ranks)
        n_wrong = sum(row["label"] != utterance.text for utterance, row in zip(self.dev, rows, strict=True))
        confidence = sum(row["probability"] for row in rows) / len(rows)
        picture = self._picture(step) if self.ranks.is_first else None
        return Validation("error rate", n_wrong / len(rows), {"confidence": confidence}, picture=picture)

    def _answer(self, _: list[Stretch], states: Tensor, state_lens: Tensor) -> list[dict[str, Any]]:
        found = self.classifier.judge(states, state_lens)
        return [{"label": each.label, "probability": each.probability} for each in found]

    def _picture(self, step: int) -> Path:
        from asr.recognizer.pictures.page import draw  # only now: a start of training should not wait for matplotlib

        shown = max(self.dev, key=lambda utterance: utterance.duration_s)
        path = self.pictures / f"step-{step:08d}.png"
        sight = self.classifier.look(read_utterance(shown))
        draw(path, sight, maps_of(sight, ALL), f"{shown.id}, labelled {shown.text}, step {step}")
        return path
