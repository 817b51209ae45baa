"""`asr transcribe`: recordings become text, in the format that is asked for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from asr.cli.errors import DONE, SOME_FAILED, in_words, is_for_users
from asr.cli.options import Device, ModelFolder, Search

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
    device: Device = "auto",
) -> None:
    """Transcribe recordings, to the terminal or to one file each.

    A recording that cannot be read is told on stderr, the others go on, and the exit status is 1.

    \b
    Examples:
      asr transcribe --model exp/digits/best recording.flac
      asr transcribe --model exp/an4/best --format srt --out-dir subtitles *.wav
    """
    from asr.recognizer.formats import JOINABLE
    from asr.recognizer.recognizer import Recognizer

    if out_dir is None and len(audio) > 1 and format not in JOINABLE:
        raise typer.BadParameter(f"several recordings as {format} need --out-dir; {', '.join(sorted(JOINABLE))} do not")
    recognizer = Recognizer.load(model, device=device, search=search or ())
    output = _Output(format, out_dir, overwrite)
    status = DONE
    for path in audio:
        try:
            output.write(path, recognizer)
        except Exception as error:
            if not is_for_users(error) or isinstance(error, BrokenPipeError):  # nobody reads on: `asr … | head`
                raise
            typer.echo(in_words(error), err=True)
            status = SOME_FAILED
    raise typer.Exit(status)


class _Output:
    """Where transcripts go: the terminal, or files of which none replaces another of the same run."""

    def __init__(self, format: Format, folder: Path | None, overwrite: bool) -> None:
        self.format: Format = format
        self.folder = folder
        self.overwrite = overwrite
        self.taken: list[Path] = []

    def write(self, audio: Path, recognizer: "Recognizer") -> None:
        """Transcribes one recording and writes its text; the place is sought first, so that no work is in vain."""
        from asr.recognizer.formats import render
        from asr.recognizer.outputs import output_path, write_output

        if self.folder is None:
            typer.echo(render(recognizer.transcribe(audio), self.format), nl=False)
            return
        path = output_path(self.folder, audio, self.format, self.taken, overwrite=self.overwrite)
        self.taken.append(path)
        write_output(path, render(recognizer.transcribe(audio), self.format))
        typer.echo(path)
