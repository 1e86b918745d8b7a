"""Draws `results/scale.csv`: peak memory by number of images, one line for each cell."""

from keras_shr.evaluation.plotting import new_figure, save, tidy


def draw(rows, path):
    """Writes the figure as PNG.

    Args:
        rows: of the table, as `csv.DictReader` reads them.
        path: of the picture.
    """
    found = {}
    for row in rows:
        found.setdefault(row["what"], []).append((int(row["images"]), float(row["peak_mb"])))
    figure = new_figure(7, 4)
    axes = figure.subplots()
    size = next(iter(rows))["image_size"]
    for marker, (what, points) in zip("osD^v", sorted(found.items()), strict=False):
        images, peaks = zip(*sorted(points), strict=True)
        axes.plot(images, peaks, marker=marker, label=what)
    most = max(images for points in found.values() for images, _ in points)
    pixels = most * int(size) ** 2 * 3 / 1e6
    axes.plot([0, most], [0, pixels], ":", color="0.5", label="the images' own size")
    axes.set_xlabel(f"images of {size} px")
    axes.set_ylabel("peak memory of all processes, MB")
    axes.set_ylim(0)
    tidy(axes, "both")
    axes.legend(frameon=False, fontsize=9)
    save(figure, path)
