"""Attention in all its kinds; what each is good for stands in its file, with its paper."""
