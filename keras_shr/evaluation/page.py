"""The report as one HTML file that needs nothing else: its pictures are inside."""

import base64
import html
from pathlib import Path

from keras_shr.evaluation.definitions import CAVEATS, definitions
from keras_shr.evaluation.tables import by_kind, comparison, difference_table, table

STYLE = """
:root { color-scheme: light }
body { font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #1b1b1b;
  background: #fff; max-width: 1150px; margin: 0 auto; padding: 24px }
h1 { font-size: 28px; margin: 0 0 4px } h2 { margin: 40px 0 8px; border-bottom: 2px solid #0072b2 }
h3 { margin: 24px 0 4px } h4 { margin: 16px 0 4px } p, li { max-width: 82ch } .quiet { color: #555 }
nav a { margin-right: 16px; color: #0072b2 }
.scroll { overflow-x: auto } table { border-collapse: collapse; margin: 8px 0 4px; font-size: 14px }
th, td { padding: 5px 8px; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap }
th { background: #f1f4f7; vertical-align: bottom }
td:first-child, th:first-child { text-align: left; white-space: normal; max-width: 170px }
th small, td small { display: block; color: #555; font-weight: normal; font-size: 11px }
td.best { font-weight: 700; background: #e3f0f9 } td.best::before { content: "★ "; color: #0072b2 }
tr.split td { border-top: 2px solid #888 }
figure { margin: 20px 0 } figure img { max-width: 100%; border: 1px solid #ddd }
figcaption { color: #333; font-size: 14px; max-width: 90ch }
.beside { display: flex; flex-wrap: wrap; gap: 8px 40px } .beside > div { max-width: 100% }
.examples img { display: block; max-width: 100%; margin: 10px 0 18px }
.warning { background: #fdf1e3; border-left: 4px solid #d55e00; padding: 8px 14px; margin: 12px 0 }
.note { background: #f1f4f7; border-left: 4px solid #0072b2; padding: 8px 14px; margin: 12px 0 }
.blue { color: #2a7fb0; font-weight: 700 } .orange { color: #b37a00; font-weight: 700 }
dt { font-weight: 700; margin-top: 8px } dd { margin: 0 0 0 18px; max-width: 88ch }
details { margin: 12px 0 } summary { cursor: pointer; font-weight: 700 }
"""

_text = html.escape


def _picture(path):
    kind = "jpeg" if path.suffix == ".jpg" else "png"
    data = base64.b64encode(Path(path).read_bytes()).decode()
    return f"data:image/{kind};base64,{data}"


def image(path, alt):
    """An `img` that carries its picture."""
    return f'<img src="{_picture(path)}" alt="{_text(alt)}">'


def _counted(count, thing):
    return f"{count:,} {thing}{'s' * (count > 1)}"


def _levels(severities):
    return f"severit{'ies' if len(severities) > 1 else 'y'} {', '.join(map(str, severities))}"


def render(report) -> str:
    """The page of a `Report`.

    Args:
        report: with `scores`, `summary`, `differences`, `protocol`, `facts` (see `scores.json`),
            `figures` and `examples` (path → caption), `examples` also by model.
    """
    facts, protocol = report.facts, report.protocol
    kinds = [kind.replace("_", " ") for kind in protocol.perturbations]
    title = f"Keypoint robustness: {report.data_name}"
    warned = [row["warning"] for row in report.summary]
    labelled = any(row.get("auc_clean") is not None for row in report.summary)
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{_text(title)}</title>",
        '<meta name=viewport content="width=device-width, initial-scale=1">',
        f"<style>{STYLE}</style><h1>{_text(title)}</h1>",
        "<p class=quiet>How far do a network's keypoints move when its picture is blurred, noisy, "
        "compressed or badly lit, and how accurate do they stay?</p>",
        "<nav><a href='#scores'>Scores</a><a href='#figures'>Figures</a>"
        "<a href='#kinds'>By kind</a><a href='#examples'>Examples</a>"
        "<a href='#protocol'>Definitions</a></nav>",
        "<h2 id=evaluated>What was evaluated</h2>",
        f"<p><b>{_counted(len(report.summary), 'model')}</b> "
        f"({', '.join(_text(row['model']) for row in report.summary)}) on "
        f"<b>{_counted(facts['images'], 'picture')}</b> of {_text(report.data_name)} "
        f"({facts['keypoints']} keypoints each, {_text(facts['labels'])}), cropped to "
        f"{protocol.size[0]}x{protocol.size[1]} px. Each picture was shown clean and with "
        f"{_counted(len(kinds), 'kind')} of perturbation at {_levels(protocol.severities)}: "
        f"{facts['images'] * (1 + len(protocol.conditions)):,} pictures for each model.</p>",
    ]
    parts += [f"<div class=note>{_text(note)}</div>" for note in facts["notes"]]
    parts += [
        f"<div class=warning><b>{_text(row['model'])}</b> {_text(row['warning'])}.</div>"
        for row in report.summary
        if row["warning"]
    ]
    parts += [
        "<h2 id=scores>Scores</h2>",
        f"<p>{'★ marks the best of a column; ' * (len(report.summary) > 1)}↑ larger is better, "
        "↓ smaller is better. Small print: "
        f"95 % intervals over {_text(facts['intervals'])}.</p>",
        comparison(report.summary),
        "<p><b>AUC</b> says how accurate the keypoints are (0 to 1). <b>R</b> says how far they "
        "move when the picture is perturbed (mean square, px² of a 256-px crop), and <b>RUC</b> "
        "how many stay put (0 to 1). Read them together: a network that always "
        "answers the same keypoints has R = 0 and RUC = 1, and no use.</p>",
        difference_table(
            report.differences, [row["model"] for row in report.summary if row["warning"]]
        ),
        _more(report, labelled),
        "<h2 id=figures>Figures</h2>",
    ]
    for path, caption in report.figures.items():
        parts.append(
            f"<figure>{image(path, caption)}<figcaption>{_text(caption)}</figcaption></figure>"
        )
    parts.append("<h2 id=kinds>By kind of perturbation</h2><p>Mean over the severities.</p>")
    parts.append("<div class=beside>")
    for heading, metric, style, direction in (
        ("AUC ↑", "auc", ".3f", 1),
        ("R ↓ (px²)", "R", ".0f", -1),
        ("RUC ↑", "RUC", ".3f", 1),
    ):
        if labelled or metric != "auc":
            rows = by_kind(report.scores, protocol, metric, style, direction, warned)
            parts.append(f"<div><h3>{heading}</h3>{rows}</div>")
    parts.append("</div>")
    parts.append(_examples(report))
    parts.append(_protocol(report))
    return "\n".join(part for part in parts if part) + "\n</html>\n"


def _more(report, labelled):
    columns = [
        ("epe_clean", "EPE clean (px)", ".2f", -1),
        ("auc_clean_hand3d", "AUC clean, hand3d", ".3f", 1),
        ("auc_clean_mmpose", "AUC clean, mmpose", ".3f", 1),
        ("auc_clean_subpixel", "AUC clean, subpixel", ".3f", 1),
        ("auc_unseen_subpixel", "AUC unseen, subpixel ", ".3f", 1),
        ("R_unseen_subpixel", "R unseen, subpixel ", ".0f", -1),
        ("RUC_unseen_subpixel", "RUC unseen, subpixel ", ".3f", 1),
        ("score", "score", ".3f", 0),
    ]
    return (
        "<details><summary>Other conventions and sub-pixel decoding</summary>"
        + comparison(report.summary, columns)
        + "</details>"
    )


_SHARED = {
    "typical": "Half of the perturbed pictures moved the models' keypoints less than this one on "
    "average, half more.",
    "worst": "The perturbed picture that moved the models most on average.",
}


def _examples(report):
    parts = [
        "<h2 id=examples>Examples</h2>",
        "<p><span class=blue>Blue</span>: the answer for the clean picture; "
        "<span class=orange>orange</span>: for the perturbed one; white lines: how each keypoint "
        "moved. Distances in px of a 256-px crop.</p>",
    ]
    for name, path in report.shared_examples.items():
        parts.append(
            f"<h3>The same picture, all models: {name}</h3><p>{_SHARED[name]}</p>"
            f"{image(path, f'all models on one perturbed picture: {name}')}"
        )
    parts.append(
        "<h3>The worst of each model</h3><p>The pictures whose keypoints moved most, each picture "
        "and each kind once. Beside them the heatmaps of the keypoint that moved furthest, "
        "brighter for higher. These are the worst cases, not typical ones.</p>"
    )
    for model, paths in report.examples.items():
        images = "".join(image(path, f"{model}: {path.stem}") for path in paths)
        images = images or "<p>No keypoint of this model moved.</p>"
        parts.append(f"<h4>{_text(model)}</h4><div class=examples>{images}</div>")
    return "\n".join(parts)


def _protocol(report):
    facts = report.facts
    terms = "".join(
        f"<dt>{_text(term)}</dt><dd>{_text(text)}.</dd>"
        for term, text in definitions(report.protocol).items()
    )
    settings = {
        "perturbations": ", ".join(report.protocol.perturbations),
        "severities": ", ".join(map(str, report.protocol.severities)),
        "crop": f"{report.protocol.size[0]}x{report.protocol.size[1]} px",
        "seed": report.protocol.seed,
        "images": facts["images"],
        "labels": facts["labels"],
        "intervals": facts["intervals"],
        "command": facts["command"],
        "finished": facts["finished"],
        "versions": ", ".join(f"{k} {v}" for k, v in facts["versions"].items()),
    }
    rows = [
        [
            f"<td>{_text(key)}</td>",
            f"<td style='text-align:left;white-space:normal'>{_text(str(v))}</td>",
        ]
        for key, v in settings.items()
    ]
    caveats = "".join(f"<li>{_text(caveat)}</li>" for caveat in CAVEATS)
    return (
        f"<h2 id=protocol>How to read it</h2><ul>{caveats}</ul>"
        f"<h2>Definitions</h2><dl>{terms}</dl><h2>Protocol</h2>{table(['setting', ''], rows)}"
        "<p>Beside this page: <b>scores.csv</b> (every figure, one row each), <b>summary.csv</b> "
        "(one row a model), <b>scores.json</b> (both, with this protocol), <b>figures/</b>, "
        "<b>examples/</b>, <b>predictions/</b> (the keypoints, so that the same command goes on "
        "where it stopped).</p>"
    )
