"""Spellers: write the transcript token by token, looking at the listener's states; one file a kind."""
