"""A trained model that names recordings."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asr.audio.read import RATE_HZ, read_audio
from asr.build import pick_device
from asr.models.classify_model import ClassifyModel
from asr.recipe.schema import Recipe
from asr.recognizer.decode import hear, long_enough
from asr.recognizer.model_folder import load_model
from asr.recognizer.sight import Sight, array_of, listener_maps
from asr.recognizer.task_error import wrong_task
from asr.text.labels import Labels


@dataclass(frozen=True, slots=True)
class Classification:
    """What a recording was taken for.

    Attributes:
        label: The likeliest label.
        probability: Its probability.
        probabilities: Of all labels, the likeliest first.
    """

    label: str
    probability: float
    probabilities: dict[str, float]


class Classifier:
    """Listens to recordings and tells their labels.

    Args:
        model: On its device, in evaluation mode.
        labels: Of that model.
        recipe: It was trained with.
    """

    def __init__(self, model: ClassifyModel, labels: Labels, recipe: Recipe) -> None:
        self.model = model
        self.labels = labels
        self.recipe = recipe

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "auto") -> "Classifier":
        """Reads a model folder.

        Args:
            folder: `best` of an experiment.
            device: auto, cpu, cuda or cuda:N.

        Raises:
            CheckpointError: The folder is not a whole model.
            TaskError: Its model does not classify.
            DeviceError: The device is not there.
        """
        place = pick_device(device)
        recipe, labels, model = load_model(Path(folder))
        if not isinstance(model, ClassifyModel) or not isinstance(labels, Labels):
            raise wrong_task(folder, recipe.task.kind)
        return cls(model.to(place), labels, recipe)

    def classify(self, audio: str | Path | np.ndarray) -> Classification:
        """Names one recording.

        Args:
            audio: A file of any format, rate and channels that `read_audio` takes, or samples (N,) float, mono, 16 kHz.

        Raises:
            AudioError: The file cannot be read.
        """
        samples = audio.astype(np.float32) if isinstance(audio, np.ndarray) else read_audio(audio)
        return self.judge(*hear(self.model, [samples]))[0]

    @torch.inference_mode()
    def judge(self, states: Tensor, state_lens: Tensor) -> list[Classification]:
        """Names utterances that were listened to: states (B, S, D) and state_lens (B,)."""
        rows = self.model.judge(states, state_lens).logits.double().softmax(-1).tolist()
        return [self._classification(row) for row in rows]

    def _classification(self, row: list[float]) -> Classification:
        order = sorted(range(len(row)), key=lambda number: (-row[number], number))
        probabilities = {self.labels.names[number]: row[number] for number in order}
        return Classification(self.labels.names[order[0]], row[order[0]], probabilities)

    @torch.inference_mode()
    def look(self, samples: np.ndarray, label: str | None = None, *, listener: bool = False) -> Sight:
        """Keeps what the model looked at in one recording; the label is the one token.

        Args:
            samples: (N,) float32, 16 kHz.
            label: To be written beside it; None takes what the model says.
            listener: Keep the listener's self-attention, too.

        Raises:
            SightError: The listener has no self-attention.
        """
        model, samples = self.model, long_enough(samples)
        device = next(model.parameters()).device
        lens = torch.tensor([len(samples)], device=device)
        features, frame_lens = model.features(torch.from_numpy(samples)[None].to(device), lens)
        states, state_lens = model.encode(features, frame_lens)
        weights = model.judge(states, state_lens).weights
        return Sight(
            duration_s=len(samples) / RATE_HZ,
            features=array_of(features[0]),
            frames_s=model.front_end.span_s(features.shape[1]),
            states_s=model.front_end.span_s(states.shape[1] * model.listener.time_reduction),
            pieces=[label or self.judge(states, state_lens)[0].label],
            heads=list(model.pooling.head_names),
            attention=array_of(weights[0][:, None]),
            vocabulary=list(self.labels.names),
            listener=listener_maps(model, features, frame_lens) if listener else None,
        )
