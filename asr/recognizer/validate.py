"""What the trainer asks after every so many steps: how good is the model, and has its attention learnt to align?"""

from collections.abc import Sequence
from pathlib import Path

from asr.corpora.manifest import Utterance
from asr.models.asr_model import AsrModel
from asr.recognizer.decode import decode
from asr.scoring.corpus import score
from asr.search.greedy import greedy_search
from asr.text.tokenizer import Tokenizer
from asr.training.trainer import Validation


def validate(
    model: AsrModel, tokenizer: Tokenizer, dev: Sequence[Utterance], batch_s: float, pictures: Path, step: int
) -> Validation:
    """Decodes dev greedily with the speller alone."""
    hypotheses = decode(model, dev, greedy_search, batch_s)
    references = {utterance.id: utterance.text for utterance in dev}
    texts = {u.id: tokenizer.decode(hypothesis.tokens) for u, hypothesis in zip(dev, hypotheses, strict=True)}
    scored = score(references, texts)
    return Validation(scored.wer, {"cer": scored.cer})
