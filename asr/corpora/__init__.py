"""Corpora: from a folder as published to validated manifests."""
