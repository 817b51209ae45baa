"""A speech recogniser: `asr.Recognizer.load(folder).transcribe(audio)` gives a transcript.

`asr.Classifier.load(folder).classify(audio)` gives a label. All classes are imported on first use, so that `import asr`
(and with it `asr --help`) stays fast: torch alone takes seconds to load.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asr.recognizer.classifier import Classification, Classifier
    from asr.recognizer.recognizer import Recognizer
    from asr.recognizer.transcript import Transcript

__all__ = ["Classification", "Classifier", "Recognizer", "Transcript", "__version__"]
__version__ = "0.1.0"

_HOMES = {
    "Classification": "asr.recognizer.classifier",
    "Classifier": "asr.recognizer.classifier",
    "Recognizer": "asr.recognizer.recognizer",
    "Transcript": "asr.recognizer.transcript",
}


def __getattr__(name: str) -> Any:
    """Imports a public class when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'asr' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
