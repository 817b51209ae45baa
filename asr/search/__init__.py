"""From listener states to transcripts: greedy and beam search over weighted scorers."""
