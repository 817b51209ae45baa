"""Pictures of the utterances that a model got most wrong."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from asr.corpora.manifest import Utterance, read_utterance
from asr.recognizer.pictures.maps import ALL, maps_of
from asr.recognizer.pictures.page import draw
from asr.recognizer.recognizer import Recognizer
from asr.recognizer.sight import look
from asr.scoring.corpus import CorpusScore
from asr.scoring.evidence import worst_first

MAX_DRAWN_S = 60.0  # beyond it, nothing can be made out, and self-attention takes gigabytes


def draw_worst(
    recognizer: Recognizer, utterances: Sequence[Utterance], score: CorpusScore, n_pictures: int
) -> dict[str, bytes]:
    """Draws log-mel, words as heard, CTC posteriors and attention as PNG, by utterance id.

    Args:
        recognizer: The model.
        utterances: That were scored.
        score: Of these.
        n_pictures: At most so many; utterances without an error, or longer than `MAX_DRAWN_S`, are not drawn.

    Raises:
        AudioError: An utterance cannot be read.
    """
    by_id = {utterance.id: utterance for utterance in utterances}
    wrong = [by_id[each.id] for each in worst_first(score.utterances) if each.words.n_errors]
    found = {}
    for utterance in [each for each in wrong if each.duration_s <= MAX_DRAWN_S][:n_pictures]:

        def heard(states: Tensor, state_lens: Tensor) -> list[int]:
            return list(recognizer.search(states, state_lens)[0].tokens)

        sight = look(recognizer.model, recognizer.tokenizer, read_utterance(utterance), heard)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "seen.png"
            draw(path, sight, maps_of(sight, ALL), utterance.id)
            found[utterance.id] = path.read_bytes()
    return found
