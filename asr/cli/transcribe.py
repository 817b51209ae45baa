"""`asr transcribe`: recordings become text, in the format that is asked for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from asr.cli.errors import DONE, SOME_FAILED, in_words, is_for_users
from asr.cli.options import DECODING_TIMEOUT_S, Device, ModelFolder, Phrases, Search, with_phrases

if TYPE_CHECKING:
    from asr.recognizer.recognizer import Recognizer

# As in asr.recognizer.formats, which would load numpy for the sake of --help.
Format = Literal["txt", "json", "jsonl", "srt", "vtt", "tsv", "ctm", "trn"]


def transcribe(
    audio: Annotated[list[Path], typer.Argument(metavar="AUDIO", help="Recordings, in any format, rate and channels.")],
    model: ModelFolder,
    format: Annotated[Format, typer.Option("--format", "-f", help="What to write.")] = "txt",
    out_dir: Annotated[
        Path | None,
        typer.Option("--out-dir", "--output-dir", "--output_dir", "-o", help="One file per recording goes here."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of earlier runs.")] = False,
    search: Search = None,
    phrases: Phrases = None,
    device: Device = "auto",
) -> None:
    """Transcribe recordings, to the terminal or to one file each.

    A recording that cannot be read is told on stderr, the others go on, and the exit status is 1.

    \b
    Examples:
      asr transcribe --model exp/digits/best recording.flac
      asr transcribe --model exp/an4/best --format srt --out-dir subtitles *.wav
      asr transcribe --model exp/an4/best --phrases names.txt recording.flac
      torchrun --nproc-per-node 8 -m asr transcribe --model exp/an4/best --out-dir text *.wav
    """
    from asr.ranks.group import join_ranks
    from asr.recognizer.formats import JOINABLE
    from asr.recognizer.recognizer import Recognizer
    from asr.training.memory import keep_memory

    if out_dir is None and len(audio) > 1 and format not in JOINABLE:
        raise typer.BadParameter(f"several recordings as {format} need --out-dir; {', '.join(sorted(JOINABLE))} do not")
    status = DONE
    keep_memory()
    with join_ranks(DECODING_TIMEOUT_S) as ranks:
        output = _Output(
            Recognizer.load(model, device=device, search=with_phrases(search, phrases)), format, out_dir, overwrite
        )
        for start in range(0, len(audio), ranks.n_ranks):
            together = [(path, output.place(path)) for path in audio[start : start + ranks.n_ranks]]
            ranks.at(start, "validating", [str(path) for path, _ in ranks.share(together)])
            results = ranks.in_order([output.text(path, place) for path, place in ranks.share(together)])
            for (_, place), result in zip(together, results, strict=True):
                if "fault" in result:
                    status = SOME_FAILED
                if ranks.is_first:
                    output.write(place, result)
    raise typer.Exit(status)


class _Output:
    """Where transcripts go: the terminal, or files of which none replaces another of the same run."""

    def __init__(self, recognizer: "Recognizer", format: Format, folder: Path | None, overwrite: bool) -> None:
        self.recognizer = recognizer
        self.format: Format = format
        self.folder = folder
        self.overwrite = overwrite
        self.taken: list[Path] = []

    def place(self, audio: Path) -> Path | str | None:
        """Seeks a file's place before its transcript, so that no work is in vain: a path, or why there is none."""
        from asr.recognizer.outputs import output_path

        if self.folder is None:
            return None
        try:
            path = output_path(self.folder, audio, self.format, self.taken, overwrite=self.overwrite)
        except OSError as error:
            return in_words(error)
        self.taken.append(path)
        return path

    def text(self, audio: Path, place: Path | str | None) -> dict[str, str]:
        """The rendered transcript, or the fault."""
        from asr.recognizer.formats import render

        if isinstance(place, str):
            return {"fault": place}
        try:
            return {"text": render(self.recognizer.transcribe(audio), self.format)}
        except Exception as error:
            if not is_for_users(error) or isinstance(error, BrokenPipeError):  # nobody reads on: `asr … | head`
                raise
            return {"fault": in_words(error)}

    def write(self, place: Path | str | None, result: dict[str, str]) -> None:
        """Tells a fault, or writes a transcript to its place."""
        from asr.recognizer.outputs import write_output

        if "fault" in result:
            typer.echo(result["fault"], err=True)
        elif isinstance(place, Path):
            write_output(place, result["text"])
            typer.echo(place)
        else:
            typer.echo(result["text"], nl=False)
