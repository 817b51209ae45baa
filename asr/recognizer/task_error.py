"""When a model is asked for what it was not trained to do."""

from pathlib import Path


class TaskError(ValueError):
    """The task of a model is another; the message says which, and what to use."""


def wrong_task(folder: str | Path, kind: str) -> TaskError:
    """What to say of a model whose task is of another kind than was asked for."""
    use = {
        "classify": "was trained to classify and writes no text; use `asr classify`, in Python asr.Classifier",
        "language_model": "is a language model; a recogniser's search takes it, as in --search lm=DIR",
    }.get(kind, f"was trained to {kind}; use `asr transcribe`, in Python asr.Recognizer")
    return TaskError(f"{folder}: this model {use}")
