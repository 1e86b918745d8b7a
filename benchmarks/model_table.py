"""The README's tables of architectures: costs from results/models.csv, scores from a reproduction's
fig8.csv, whose networks have their own image size and width.
"""

import csv

NAMES = {
    "mobilenet_v2": "MobileNetV2",
    "mobilenet_v2_0.5": "MobileNetV2, α 0.5",
    "shufflenet_v2_x1_0": "ShuffleNetV2 x1.0",
    "efficientnet_lite0": "EfficientNet-Lite0",
    "hrnet_w18": "HRNet W18",
    "hrnet_w32": "HRNet W32",
    "resnet50": "ResNet50",
    "stacked_hourglass": "Stacked Hourglass (2)",
    "vgg19_bn": "VGG19-BN",
}
HEADER = (
    "architecture",
    "parameters (M)",
    "GFLOPs",
    "ms an image (CPU time)",
    "training pairs/s (a CPU second)",
    "`.tflite` MB",
)
SCORE_HEADER = (
    *("trained: baseline / ours", "parameters (M)"),
    *("AUC clean", "AUC unseen", "R (px²)", "RUC"),
)
METHODS = ("baseline", "ours")
SCORES = {"auc_clean": ".3f", "auc_unseen": ".3f", "R": ".0f", "RUC": ".3f"}
MISSING = "not run"


def markdown(rows, options):
    """The tables and what they were measured with.

    Args:
        rows: of models.csv, as dictionaries of text.
        options: with `size`, `train_size` and `pairs`, which rows to show, `fig8`, the path of a
            reproduction's fig8.csv, and `data`, which data set of it.
    """
    shown = _fullest(rows, options)
    lines = [*_table(HEADER, map(_costs, shown)), "", _cost_notes(shown, options)]
    scores, data = read_scores(options.fig8, options.data)
    if scores:
        names = dict.fromkeys(name for name, _ in scores)
        lines += ["", *_table(SCORE_HEADER, (_scores(name, scores) for name in names))]
        lines += ["", _score_notes(data, options)]
    return "\n".join(lines)


def _fullest(rows, options):
    """Rows of the wanted sizes from one machine and backend: those with the most figures."""
    wanted = tuple(str(each) for each in (options.size, options.train_size, options.pairs))
    groups = {}
    for row in rows:
        if (row["image_size"], row["train_size"], row["pairs"]) == wanted:
            groups.setdefault((row["machine"], row["backend"], row["threads"]), []).append(row)
    return max(
        groups.values(),
        key=lambda group: sum(bool(v) for row in group for v in row.values()),
        default=[],
    )


def read_scores(path, data=None):
    """`(architecture, method) -> row` of fig8.csv, and which data set; empty without the file."""
    if not path.exists():
        return {}, ""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    data = data or next((row["data"] for row in rows if row.get("data")), "")
    return {
        (row["architecture"], row["method"]): row for row in rows if row.get("data", "") == data
    }, data


def _costs(row):
    count = row.get("parameters")
    sizes = [row.get(name) for name in ("tflite_mb", "tflite_float16_mb")]
    return [
        NAMES[row["architecture"]],
        f"{int(count) / 1e6:.2f}" if count else MISSING,
        _number(row.get("gflops"), ".2f"),
        _time(row, ("ms", "cpu_ms", "cpu_ms_ratio"), ".0f"),
        _time(row, ("pairs_per_s", "pairs_per_cpu_s", "train_cpu_ratio"), ".2f"),
        " / ".join(_number(size, ".1f") for size in sizes) if any(sizes) else MISSING,
    ]


def _scores(name, scores):
    pair = [scores.get((name, method), {}) for method in METHODS]
    count = next((row["parameters"] for row in pair if row.get("parameters")), None)
    cells = [NAMES[name], f"{float(count) / 1e6:.2f}" if count else ""]
    for score, style in SCORES.items():
        found = [row.get(score) for row in pair]
        cells.append(
            " / ".join(_number(value, style) for value in found) if any(found) else MISSING
        )
    return cells


def _number(text, style):
    return format(float(text), style) if text else MISSING


def _time(row, columns, style):
    """On the clock, in brackets by CPU time and how many times the reference's that is."""
    clock, cpu, ratio = (row.get(name) for name in columns)
    if not clock:
        return MISSING
    return f"{_number(clock, style)} ({_number(cpu, style)}, x {_number(ratio, '.1f')})"


def _cost_notes(rows, options):
    """What the figures mean, in sentences for below the table."""
    if not rows:
        return f"No row for {options.size} px; python -m benchmarks.models measures them."
    notes = [
        f"{options.size} px, heatmaps of stride 4, 21 keypoints, symmetric RCC. Parameters: what "
        "is trained. FLOPs: 2 x multiply-adds of convolutions and matrix products."
    ]
    timed = next((row for row in rows if row.get("ms")), None)
    if timed:
        notes.append(
            f"Time: one image on {timed['threads']} threads ({timed['machine']}, "
            f"{timed['versions']}), median of turns; in brackets CPU time over all threads, and "
            "its ratio to MobileNetV2's."
        )
    trained = next((row for row in rows if row.get("pairs_per_s")), None)
    if trained:
        notes.append(
            f"Training: the paired step with its ten perturbations, {trained['train_size']} px, "
            f"{trained['pairs']} pairs a step, same machine."
        )
    loads = [row[name] for row in rows for name in ("load", "train_load") if row.get(name)]
    loads = sorted(float(load.split()[0]) for load in loads)
    if loads:
        notes.append(f"Load of the machine meanwhile: {loads[0]:g} to {loads[-1]:g}.")
    notes.append("`.tflite`: float32 / float16 weights.")
    return " ".join(notes)


def _score_notes(data, options):
    return (
        f"Trained alike on {data} hands; R and RUC under "
        f"the five unseen kinds (`{options.fig8.as_posix()}`)."
    )


def _table(header, rows):
    return [_line(cells) for cells in (header, ["---", *["---:"] * (len(header) - 1)], *rows)]


def _line(cells):
    return f"| {' | '.join(cells)} |"
