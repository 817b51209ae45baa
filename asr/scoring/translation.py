"""How good are translations? BLEU and chrF by sacrebleu, whose signatures say exactly what was computed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from asr.scoring.errors import ScoringError


@dataclass(frozen=True, slots=True)
class TranslationScore:
    """The scores of a corpus of translations.

    Attributes:
        bleu: BLEU (Papineni et al. 2002), 0 to 100, of the corpus as one, case folded.
        bleu_margin: Half the width of its 95 % interval (bootstrap over utterances); None where none was asked for.
        bleu_signature: How it was computed, in sacrebleu's words (Post 2018).
        chrf: chrF2 (Popović 2015), 0 to 100, case folded.
        chrf_signature: As for BLEU.
    """

    bleu: float
    bleu_margin: float | None
    bleu_signature: str
    chrf: float
    chrf_signature: str

    @property
    def lines(self) -> list[str]:
        """The scores, to be printed."""
        margin = "" if self.bleu_margin is None else f" ± {self.bleu_margin:.2f}"
        return [
            f"BLEU {self.bleu:.2f}{margin}  {self.bleu_signature}",
            f"chrF2 {self.chrf:.2f}  {self.chrf_signature}",
        ]


def score_translations(
    references: Sequence[str], hypotheses: Sequence[str], *, n_resamples: int | None = None
) -> TranslationScore:
    """Scores translations, one reference each.

    Args:
        references: True translations.
        hypotheses: Translations to be scored, in the same order.
        n_resamples: Resamples of the bootstrap for BLEU's interval; None for no interval.

    Raises:
        ScoringError: No translation, or not as many references as hypotheses.
    """
    if not references or len(references) != len(hypotheses):
        raise ScoringError(f"{len(references)} references, {len(hypotheses)} hypotheses: expected as many, at least 1")
    bleu, chrf = BLEU(lowercase=True), CHRF(lowercase=True)
    bleu_score = bleu.corpus_score(hypotheses, [references], n_bootstrap=n_resamples or 1)
    chrf_score = chrf.corpus_score(hypotheses, [references])
    bleu_signature, chrf_signature = str(bleu.get_signature()), str(chrf.get_signature())
    told = json.loads(bleu_score.format(width=4, signature=bleu_signature, is_json=True))
    return TranslationScore(
        bleu_score.score, told.get("confidence_var"), bleu_signature, chrf_score.score, chrf_signature
    )
