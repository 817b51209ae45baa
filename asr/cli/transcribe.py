"""`asr transcribe`: recordings become text, in the formats that are asked for."""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from asr.cli.errors import DONE, SOME_FAILED, in_words
from asr.cli.options import DECODING_TIMEOUT_S, Device, ModelOrDefault, Phrases, Search, with_phrases
from asr.cli.progress import pace_bar

if TYPE_CHECKING:
    from asr.ranks.group import Ranks
    from asr.recognizer.long_form import Outcome, Told
    from asr.recognizer.recognizer import Recognizer
    from asr.recognizer.recordings import Channel, Recording

# As in asr.recognizer.formats, which would load numpy for the sake of --help.
Format = Literal["txt", "json", "jsonl", "srt", "vtt", "tsv", "ctm", "stm", "trn"]

N_TOGETHER = 8
"""Recordings of each process after which several processes wait for each other and write."""


def transcribe(
    audio: Annotated[
        list[Path],
        typer.Argument(metavar="AUDIO", help="Recordings of any format and length; folders, patterns, - for stdin."),
    ],
    model: ModelOrDefault = None,
    format: Annotated[
        str,
        typer.Option("--format", "-f", help="txt, json, jsonl, srt, vtt, tsv, ctm, stm, trn; several: a,b; or all."),
    ] = "txt",
    out_dir: Annotated[
        Path | None,
        typer.Option("--out-dir", "--output-dir", "--output_dir", "-o", help="One file per recording goes here."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of earlier runs.")] = False,
    channel: Annotated[
        str, typer.Option(help="mix, the average of all; a number from 1; or split, each by itself.")
    ] = "mix",
    max_segment: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=1.0, help="Cut at pauses into stretches no longer; else as was trained."),
    ] = None,
    search: Search = None,
    phrases: Phrases = None,
    device: Device = "auto",
) -> None:
    """Transcribe recordings of any length, to the terminal or to files of their own.

    A recording that cannot be read is told on stderr, the others go on, and the exit status is 1. Where nobody speaks,
    nothing is written.

    \b
    Examples:
      asr transcribe recording.flac
      asr transcribe --model exp/digits/best recording.flac
      asr transcribe --model exp/an4/best --format srt,json --out-dir subtitles talks "more/**/*.m4a"
      asr transcribe --model exp/an4/best --channel split call.wav
      asr transcribe --model exp/an4/best --phrases names.txt recording.flac
      torchrun --nproc-per-node 8 -m asr transcribe --model exp/an4/best --out-dir text recordings
    """
    formats, heard = _formats(format), _channel(channel)

    from asr.ranks.group import join_ranks
    from asr.recognizer.formats import JOINABLE
    from asr.recognizer.memory import keep_few_kernels
    from asr.recognizer.recognizer import Recognizer
    from asr.recognizer.recordings import find_recordings, total_s

    if out_dir is None and len(formats) > 1:
        raise typer.BadParameter("several formats need --out-dir")
    status = DONE
    keep_few_kernels()
    with join_ranks(DECODING_TIMEOUT_S) as ranks:
        if ranks.n_ranks > 1 and Path("-") in audio:
            raise typer.BadParameter("standard input goes to one process only")
        recordings = find_recordings(audio, heard, sys.stdin.buffer)
        if out_dir is None and len(recordings) > 1 and formats[0] not in JOINABLE:
            joinable = ", ".join(sorted(JOINABLE))
            raise typer.BadParameter(f"several recordings as {formats[0]} need --out-dir; {joinable} do not")
        recognizer = Recognizer.load(model, device=device, search=with_phrases(search, phrases))
        output = _Output(recordings, formats, out_dir, overwrite)
        with pace_bar(lambda: total_s(recordings), shown=ranks.is_first) as pace:
            _work(output, recognizer, ranks, max_segment, pace)
        status = SOME_FAILED if output.n_failed else DONE
    raise typer.Exit(status)


def _work(
    output: "_Output",
    recognizer: "Recognizer",
    ranks: "Ranks",
    longest_s: float | None,
    pace: Callable[[float], None],
) -> None:
    """Transcribes all recordings and writes what becomes of them; several processes wait for each other at times."""
    n_all = len(output.recordings)
    together = n_all if ranks.n_ranks == 1 else N_TOGETHER * ranks.n_ranks

    def tell(seconds: float, names: Sequence[str]) -> None:
        pace(seconds * ranks.n_ranks)
        if names:
            ranks.at(0, "validating", names)

    for start in range(0, n_all, together):
        numbers = range(start, min(start + together, n_all))
        mine = ranks.share(numbers)
        outcomes = output.outcomes(recognizer, mine, longest_s, tell)
        if ranks.n_ranks == 1:
            for number, result in outcomes:
                output.write(number, result)
            continue
        found = dict(outcomes)
        for number, result in zip(numbers, ranks.in_order([found[each] for each in mine]), strict=True):
            output.write(number, result, aloud=ranks.is_first)


def _formats(names: str) -> list[Format]:
    known: tuple[Format, ...] = get_args(Format)
    if names == "all":
        return list(known)
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in known:
            raise typer.BadParameter(f"no format {name!r}; there are {', '.join(known)}, or all")
    return [name for name in known if name in wanted]


def _channel(name: str) -> "Channel":
    if name == "mix":
        return "mix"
    if name == "split":
        return "split"
    if not name.isdecimal() or int(name) < 1:
        raise typer.BadParameter(f"no channel {name!r}; say mix, split, or a number from 1")
    return int(name)


class _Output:
    """Where transcripts go: the terminal, in order, or files of which none replaces another of the same run."""

    def __init__(
        self, recordings: "Sequence[Recording]", formats: Sequence[Format], folder: Path | None, overwrite: bool
    ) -> None:
        self.folder = folder
        self.formats = formats
        self.taken: list[Path] = []
        self.places: list[list[Path]] = []
        self.recordings = [self._placed(recording, overwrite) for recording in recordings]
        self.held: dict[int, dict[str, str]] = {}
        self.n_written = self.n_failed = 0

    def _placed(self, recording: "Recording", overwrite: bool) -> "Recording":
        """Seeks a recording's places before any work is done; without, the recording is refused."""
        from asr.recognizer.outputs import output_path

        places: list[Path] = []
        self.places.append(places)
        if self.folder is None:
            return recording
        try:
            for format in self.formats:
                places.append(output_path(self.folder, recording.place, format, self.taken, overwrite=overwrite))
        except OSError as error:
            return recording.refused(recording.place, error)
        finally:
            self.taken += places
        return recording

    def outcomes(
        self, recognizer: "Recognizer", numbers: Sequence[int], longest_s: float | None, tell: "Told"
    ) -> Iterator[tuple[int, dict[str, str]]]:
        """Transcribes the recordings of these numbers: the rendered transcripts, or the fault, as each is done."""
        from asr.recognizer.long_form import transcribe_all

        mine = [self.recordings[number] for number in numbers]
        for index, outcome in transcribe_all(recognizer, mine, longest_s=longest_s, tell=tell):
            yield numbers[index], self._result(outcome)

    def _result(self, outcome: "Outcome") -> dict[str, str]:
        from asr.recognizer.formats import render

        if isinstance(outcome, Exception):
            return {"fault": in_words(outcome)}
        return {format: render(outcome, format) for format in self.formats}

    def write(self, number: int, result: dict[str, str], aloud: bool = True) -> None:
        """Writes a transcript, or tells a fault: to files at once, to the terminal when all before it are out."""
        self.n_failed += "fault" in result
        if not aloud:
            return
        if self.folder is not None:
            self._deliver(number, result)
            return
        self.held[number] = result
        while self.n_written in self.held:
            self._deliver(self.n_written, self.held.pop(self.n_written))
            self.n_written += 1

    def _deliver(self, number: int, result: dict[str, str]) -> None:
        from asr.recognizer.outputs import write_output

        if "fault" in result:
            typer.echo(result["fault"], err=True)
        elif self.folder is None:
            typer.echo(result[self.formats[0]], nl=False)
        else:
            for format, place in zip(self.formats, self.places[number], strict=True):
                write_output(place, result[format])
                typer.echo(place)
