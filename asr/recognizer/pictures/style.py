"""Colours of the pictures."""

from matplotlib.colors import LinearSegmentedColormap

INK = "#1b2540"
GRID = "#9aa5bd"
WORD = "#c2410c"
BLANK = "#a3a8b3"
ATTENTION = LinearSegmentedColormap.from_list("attention", ["#ffffff", "#c9d8f2", "#5a86d6", "#1f3f8f", "#0b1530"])
# Dark enough to be read as letters on white; neighbours differ in hue.
TOKENS = ("#b4380b", "#1f5fbf", "#15803d", "#7e22ce", "#a16207", "#0e7490", "#be185d", "#4d5b16")
