"""Small drawings for a page, as SVG: numbers in, markup out, no text of others."""

from collections.abc import Sequence

from asr.scoring.calibration import Bin

_WIDTH, _HEIGHT = 180, 14


def bar(rate: float, interval: tuple[float, float], full: float) -> str:
    """A rate as a bar with its interval as a whisker; `full` is the rate that fills the width."""
    value, low, high = (_WIDTH * min(each / full, 1.0) if full > 0 else 0.0 for each in (rate, *interval))
    middle = _HEIGHT / 2
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-hidden="true">'
        f'<rect class="bar" x="0" y="2" width="{value:.1f}" height="{_HEIGHT - 4}"/>'
        f'<line class="whisker" x1="{low:.1f}" y1="{middle}" x2="{high:.1f}" y2="{middle}"/></svg>'
    )


def reliability_plot(bins: Sequence[Bin]) -> str:
    """The share of words that are right over their confidence; a dot's area grows with the number of words."""
    size, margin = 260, 34

    def place(confidence: float, share: float) -> tuple[float, float]:
        return margin + size * confidence, 8 + size * (1 - share)

    most = max((each.n_words for each in bins), default=1)
    dots = []
    for each in bins:
        x, y = place(each.confidence, each.share_right)
        radius = 3 + 9 * (each.n_words / most) ** 0.5
        told = f"{each.n_words} words, confidence {each.confidence:.2f}, {100 * each.share_right:.1f} % right"
        dots.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"><title>{told}</title></circle>')
    (left, bottom), (right, top) = place(0, 0), place(1, 1)
    marks = "".join(
        f'<text x="{place(each, 0)[0]:.1f}" y="{bottom + 14:.1f}" text-anchor="middle">{each:g}</text>'
        f'<text x="{left - 5:.1f}" y="{place(0, each)[1] + 4:.1f}" text-anchor="end">{each:g}</text>'
        for each in (0.0, 0.5, 1.0)
    )
    return (
        f'<svg width="{size + margin + 20}" height="{size + margin + 16}" role="img" aria-label="reliability">'
        f'<rect class="frame" x="{left}" y="{top}" width="{size}" height="{size}"/>'
        f'<line class="diagonal" x1="{left}" y1="{bottom}" x2="{right}" y2="{top}"/>{"".join(dots)}{marks}'
        f'<text x="{(left + right) / 2}" y="{bottom + 30}" text-anchor="middle">confidence</text></svg>'
    )
