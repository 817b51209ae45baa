"""Listeners: log-mel frames to fewer, richer states; one file a kind."""
