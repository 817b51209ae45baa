"""Text in and out: normalisation and tokens."""
