"""`asr score`: how many errors are in anyone's texts?"""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from asr.cli.options import EmbedAudio
from asr.cli.progress import progress_bar

# As in asr.scoring.texts, which would load numpy for the sake of --help.
Format = Literal["lines", "kaldi", "trn", "stm", "json"]

Normalize = Annotated[
    list[str] | None,
    typer.Option(
        metavar="whisper|basic|FILE",
        help="Fold both texts first, by whisper's English rules, our few for any language, or a file of lines "
        "'from TAB to'; repeatable, applied in turn. Without it texts are compared as they are.",
    ),
]


def score(
    reference: Annotated[Path, typer.Argument(metavar="REF", help="True texts.")],
    hypothesis: Annotated[
        Path | None, typer.Argument(metavar="[HYP]", help="Recognised texts; left out where REF holds both.")
    ] = None,
    normalize: Normalize = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the files that `asr evaluate --out` writes.")] = None,
    ref_format: Annotated[Format | None, typer.Option(help="How to read REF, where its content misleads.")] = None,
    hyp_format: Annotated[Format | None, typer.Option(help="The same of HYP.")] = None,
    embed_audio: EmbedAudio = 0.0,
) -> None:
    """Score texts: word, character and sentence error rate with 95 % intervals, and NIST sclite's counts.

    With --out, also a page to look at, with audio and signal-to-noise ratios where JSON rows name audio files.

    Takes Kaldi text (id words), trn, stm, JSON rows (our manifests and transcripts, NeMo's text and pred_text), a JSON
    mapping from id to text, results.json, folders of one .txt or .json an utterance, and plain lines. Utterances are
    joined by id, in any order; missing, extra and repeated ids are refused. Only files without ids are joined line by
    line, and need the same number of lines.

    \b
    Examples:
      asr score ref.trn hyp.trn
      asr score data/an4/test.jsonl hyp.jsonl --normalize basic --out exp/scored
      asr score nemo_predictions.json
    """
    from asr.scoring.evidence import listened
    from asr.scoring.files import advice, read_pairs, score_pairs
    from asr.scoring.normalizers import normalizer
    from asr.scoring.printable import printable
    from asr.scoring.report import check_folder, score_lines, write_report

    rules = normalizer(normalize or ())
    if out is not None:
        check_folder(out)
    pairs = read_pairs(reference, hypothesis or reference, ref_format, hyp_format)
    scored = score_pairs(pairs, rules)
    lines = [*score_lines(scored), f"normalisation: {rules.name}", *advice(scored, rules), *pairs.notes]
    if out is not None:
        about = {"reference": str(reference), "hypothesis": str(hypothesis or reference)}
        about |= {"normalisation": rules.name, "notes": "; ".join(pairs.notes)}

        with progress_bar("listening") as progress:
            evidence = partial(listened, scored, pairs.known, round(1e6 * embed_audio), progress)
            write_report(out, scored, about, name=(hypothesis or reference).stem, evidence=evidence)
    for line in lines:
        typer.echo(printable(line))
