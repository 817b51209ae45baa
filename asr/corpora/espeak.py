"""eSpeak NG as a speaking voice, through its C interface.

eSpeak NG is free software under the GPL, version 3 or later. It is not part of this package: the shared library and its
voice data come from the wheel `espeakng-loader` and are loaded at run time. Calls follow `speak_lib.h` of version 1.52.

The library keeps its state in static variables (the phases of flutter and roughness run on from one utterance to the
next), so it is not thread-safe, and the same call gives the same samples only at the same place in a process's life.
"""

import ctypes
from dataclasses import dataclass
from pathlib import Path

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from asr.corpora.candidate import CorpusError

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_POS_CHARACTER = 1
_CHARS_UTF8 = 1
_RATE, _PITCH, _RANGE, _WORD_GAP = 1, 3, 4, 7

_SEED = 1

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How something is said.

    Attributes:
        words_per_minute: speaking rate, 80–450; 175 is the library's own.
        pitch: 0–100, 50 is the voice's own.
        pitch_range: 0 (monotone) – 100, 50 is the voice's own.
        word_gap: extra pause between words in steps of 10 ms (at 175 words per minute).
    """

    words_per_minute: int = 175
    pitch: int = 50
    pitch_range: int = 50
    word_gap: int = 0


class Espeak:
    """The library, initialised; one per process.

    Attributes:
        rate_hz: sampling rate of what `say` returns.
    """

    def __init__(self) -> None:
        data = espeakng_loader.get_data_path()
        self._variants = Path(data) / "voices" / "!v"
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as error:
            raise CorpusError(f"cannot load eSpeak NG ({error}); reinstall the package espeakng-loader") from error
        self.rate_hz = int(
            self._library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, str(data).encode(), _INITIALIZE_DONT_EXIT)
        )
        if self.rate_hz <= 0:
            raise CorpusError(f"eSpeak NG finds no voice data in {data}; reinstall the package espeakng-loader")
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(_SEED))  # of breath noise; the clock sets it otherwise
        self._pieces: list[NDArray[np.int16]] = []
        self._callback = _Callback(self._keep)  # the library holds only the pointer, so this must stay referenced
        self._library.espeak_SetSynthCallback(self._callback)

    def say(self, text: str, voice: str, delivery: Delivery) -> NDArray[np.float32]:
        """Speak a text.

        Args:
            text: what to say.
            voice: an accent, or accent+variant, e.g. "en-us" or "en-gb-scotland+f2".
            delivery: how to say it.

        Returns:
            samples (N,), float32 in [-1, 1], at `rate_hz`.

        Raises:
            CorpusError: there is no such voice, or the library failed.
        """
        self._set_voice(voice)
        settings = {
            _RATE: delivery.words_per_minute,
            _PITCH: delivery.pitch,
            _RANGE: delivery.pitch_range,
            _WORD_GAP: delivery.word_gap,
        }
        for parameter, value in settings.items():
            self._library.espeak_SetParameter(parameter, value, 0)
        self._pieces.clear()
        encoded = text.encode()
        status = self._library.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded) + 1), 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None
        )
        if status != 0 or not self._pieces:
            raise CorpusError(f"eSpeak NG did not say {text!r} as {voice} (status {status})")
        return np.concatenate(self._pieces).astype(np.float32) / np.float32(32768)

    def _set_voice(self, voice: str) -> None:
        _, _, variant = voice.partition("+")
        known = not variant or (self._variants / variant).is_file()  # the library takes unknown variants in silence
        if not known or self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise CorpusError(f"eSpeak NG has no voice {voice!r}; is the package espeakng-loader older than 0.2?")

    def _keep(self, values: "ctypes._Pointer[ctypes.c_short]", n_values: int, events: int | None) -> int:
        if values and n_values > 0:
            self._pieces.append(np.ctypeslib.as_array(values, (n_values,)).copy())
        return 0
