"""What audio files are called."""

AUDIO_SUFFIXES = (
    *(".flac", ".wav", ".sph", ".opus", ".ogg", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64", ".oga"),
    *(".m4a", ".aac", ".mp4", ".mov", ".mkv", ".mka", ".webm", ".wma"),
)
"""Of the files that are taken from a folder; the second line needs PyAV (`pip install 'asr[av]'`). Where a name has
several, the first wins. A file that is named itself may have any: what it is, its content tells."""
