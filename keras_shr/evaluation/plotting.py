"""What the report's figures share: colours, lines, words and saving.

Colours are Okabe and Ito's, and every model also has its own line, marker and hatch, so that the
figures are readable with any colour vision and in grey.
"""

import math

from keras_shr.drawing import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from keras_shr.evaluation.protocol import EXTRA, SEEN, UNSEEN
from keras_shr.files import replacing

COLORS = [tuple(c / 255 for c in rgb) for rgb in (BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY)]
COLORS.append(tuple(BLACK))
MARKERS, LINES = (
    "osD^vPX",
    ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1))),
)
HATCHES = ("", "///", "...", "xx", "\\\\\\", "++", "oo")
GROUP_WORDS = {SEEN: "seen in training", UNSEEN: "unseen in training", EXTRA: "lens and sensor"}


def new_figure(width, height):
    """A figure that belongs to no window system and to no global list."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure, path):
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=130, facecolor="white")
    return path


def tidy(axes, grid="y"):
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color="0.88", linewidth=0.8)
    axes.set_axisbelow(True)


def short(name, length=28):
    """A model's name as matplotlib may show it: not too long, `$` and a leading `_` tamed."""
    if len(name) > length:  # seeds and variants stand at the end, so the middle goes
        name = name[: length // 2] + "…" + name[len(name) - (length - length // 2 - 1) :]
    return name.replace("$", r"\$").lstrip("_") or "model"


def style(i):
    """Colour, line, marker and hatch of the i-th model; the first 49 all differ."""
    shift = i // len(COLORS)
    return (
        COLORS[i % len(COLORS)],
        LINES[(i + shift) % len(LINES)],
        MARKERS[(i + 3 * shift) % len(MARKERS)],
        HATCHES[(i + shift) % len(HATCHES)],
    )


def legend(figure, axes, count):
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=min(count, 4),
        frameon=False,
    )


def ordered_kinds(protocol):
    """Kinds in order, the seen ones first."""
    return sorted(protocol.perturbations, key=lambda kind: protocol.group(kind) != SEEN)


def words(kind):
    return kind.replace("_", " ")


def present_groups(protocol):
    present = {protocol.group(kind) for kind in protocol.perturbations}
    return [group for group in (SEEN, UNSEEN, EXTRA) if group in present]


def number(row, part="value"):
    return math.nan if row is None else row[part]
