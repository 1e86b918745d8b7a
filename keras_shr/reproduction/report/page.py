"""The report as one HTML file that needs nothing else: its pictures are inside."""

import html
from collections import Counter

from keras_shr.evaluation.page import STYLE, image
from keras_shr.evaluation.tables import table as html_table
from keras_shr.reproduction import paper
from keras_shr.reproduction.report.claims import (
    INCONCLUSIVE,
    NOT_RUN,
    RULE,
    UNKNOWN_SPREAD,
    VERDICTS,
    shown,
)
from keras_shr.reproduction.report.methods import (
    EXPLANATIONS,
    architecture_label,
    data_label,
    in_order,
    label,
)
from keras_shr.reproduction.report.results import CONVERGENCE, MARK

_STYLE = """
td.quoted { color: #555; font-style: italic } td.none { color: #888 }
td.words, td.words:first-child { text-align: left; white-space: normal; min-width: 90px;
  max-width: 380px }
td:first-child { max-width: 300px }
table.claims th { text-align: left } table.claims td { vertical-align: top }
td sup { color: #d55e00 } details summary { font-weight: 400 }
.verdict { font-weight: 700; white-space: nowrap } .v0 { color: #0072b2 } .v1 { color: #b34700 }
.v2 { color: #555 } .v3 { color: #888; font-weight: 400 }
.absent { color: #555; background: #f6f6f6; padding: 8px 14px; border-left: 4px solid #bbb }
"""
_SYMBOLS = dict(zip(VERDICTS, ("✔", "✘", "?", "–"), strict=True))
_text = html.escape


def render(report) -> str:
    """The page of a `Written` report."""
    results = report.results
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<title>Stable heatmap regression: the paper's tables and figures again</title>",
        '<meta name=viewport content="width=device-width, initial-scale=1">',
        f"<style>{STYLE}{_STYLE}</style><h1>Stable heatmap regression, measured again</h1>",
        "<p class=quiet>Every table and figure of the paper, its numbers beside ours, and a "
        f"verdict on each of its claims. The paper: {_text(paper.CITATION)}.</p>",
        "<nav><a href='#claims'>Claims</a><a href='#run'>What was run</a>"
        "<a href='#tables'>Tables</a><a href='#figures'>Figures</a>"
        "<a href='#beyond'>Beyond the paper</a><a href='#methods'>Methods</a></nav>",
        _convergence(results),
        _claims(report.claims, results),
        _run(results),
        "<h2 id=tables>The paper's tables</h2><p>Italics: printed in the paper, on RHD and STB, "
        "with settings that it does not give (input and heatmap size, training length). Compare "
        "the direction and size of effects, not the values.</p>",
        *(table.html() for table in report.tables[:3]),
        "<h2 id=figures>The paper's figures</h2>",
    ]
    for figure in report.figures:
        parts.append(_figure(figure))
        if figure.key == "fig8":
            parts.append(report.tables[3].html())
    parts.append("<h2 id=beyond>Beyond the paper</h2>")
    parts += [table.html() for table in report.beyond]
    parts += [_figure(figure) for figure in report.more]
    parts.append(_methods(results))
    parts.append(_machines(results))
    return "\n".join(part for part in parts if part) + "\n</html>\n"


def _convergence(results):
    """A warning where the rule forbids to read anything from a data set."""
    parts = []
    for data in results.data:
        progress = results.progress("baseline", data)
        if progress.done and progress.faults:
            reasons = "; ".join(progress.faults)
            parts.append(
                f"<div class=warning><b>{_text(data_label(data))}: nothing here decides a claim."
                f"</b> {_text(CONVERGENCE[0].upper() + CONVERGENCE[1:])}; here "
                f"{_text(reasons)}.</div>"
            )
    return "".join(parts)


def _claims(rows, results):
    counts = Counter(row["verdict"] for row in rows)
    spoken = ", ".join(f"{counts[v]} {v}" for v in VERDICTS if counts[v])
    shared, rows = _said_once(rows)
    parts = [
        f"<h2 id=claims>Claims</h2><p>{spoken}.</p>{shared}"
        f"<details><summary>The rule of the verdicts</summary><p>{_text(RULE)}</p></details>"
    ]
    headings = {
        "paper": "The paper's claims",
        "control": "Controls that the paper does not have",
        "ours": "This package's default",
    }
    many = len(results.data) > 1
    for source, heading in headings.items():
        quoted = source == "paper"
        head = ["claim", *["paper"] * quoted, *["data"] * many]
        head += ["ours<small>95 % interval</small>", "verdict"]
        lines = [
            [
                _words(row["claim"], row["measure"]),
                *[_words(row["paper"], row["where"])] * quoted,
                *[_words(data_label(row["data"]))] * many,
                _measured(row),
                _verdict(row),
            ]
            for row in rows
            if row["source"] == source
        ]
        table = html_table(head, lines).replace("<table>", "<table class=claims>")
        parts.append(f"<h3>{heading}</h3>{table}")
    return "".join(parts)


def _said_once(rows):
    """What speaks against all claims that were run, or of a method against several, as HTML; and
    the rows without it."""
    run = [row for row in rows if row["verdict"] != NOT_RUN]
    reasons = [row["why"].split("; ") for row in run]
    every = list(dict.fromkeys(reason for one in reasons for reason in one if reason))
    common = [r for r in every if len(run) > 1 and all(r in one for one in reasons)]
    of_methods: dict = {}
    for reason in every:
        name, colon, fault = reason.partition(": ")
        if colon and reason not in common and fault.startswith("validation AUC"):
            of_methods[reason] = name
    parts = []
    if common:
        text = "; ".join(
            f"one seed: {r}" if r == UNKNOWN_SPREAD and _one_seed(run) else r for r in common
        )
        parts.append(
            f"<p><b>All claims that were run: {_text(text)}.</b> So no verdict can be more than "
            f"{INCONCLUSIVE}.</p>"
        )
    if of_methods:
        items = "".join(f"<li>{_text(reason)}</li>" for reason in of_methods)
        parts.append(
            f"<details><summary>{MARK} had not converged: "
            f"{_text(', '.join(dict.fromkeys(of_methods.values())))}</summary>"
            f"<ul>{items}</ul></details>"
        )

    def shortened(why):
        left = [reason for reason in why.split("; ") if reason not in common]
        return "; ".join(f"{of_methods[r]} {MARK}" if r in of_methods else r for r in left)

    return "".join(parts), [row | {"why": shortened(row["why"])} for row in rows]


def _one_seed(rows):
    return {row["seeds"] for row in rows} == {"1 and 1"}


def _words(text, small=""):
    small = f"<small>{_text(small)}</small>" if small else ""
    return f"<td class=words>{_text(text or '')}{small}</td>"


def _measured(row):
    value, interval = shown(row)
    return f"<td>{value}<small>{interval}</small></td>"


def _verdict(row):
    verdict = row["verdict"]
    number = VERDICTS.index(verdict)
    return (
        f"<td class=words><span class='verdict v{number}'>{_SYMBOLS[verdict]} {verdict}</span>"
        f"<small>{_text(row['why'])}</small></td>"
    )


def _run(results):
    """Which cells there are: done seeds of the planned ones."""
    columns = [(d, a) for d in results.data for a in results.architectures]
    methods = in_order(row["method"] for row in results.rows["cells.csv"])
    head = ["method"] + [
        f"{_text(data_label(d))}<small>{_text(architecture_label(a))}</small>" for d, a in columns
    ]
    lines, done, planned = [], 0, 0
    for method in methods:
        line = [f"<td>{_text(label(method))}</td>"]
        for data, architecture in columns:
            progress = results.progress(method, data, architecture)
            if not progress.planned:
                line.append("<td class=none>·</td>")
                continue
            done, planned = done + progress.done, planned + progress.planned
            mark = f"<sup>{MARK}</sup>" if progress.faults else ""
            remark = "; ".join(progress.faults) or progress.failure
            title = f' title="{html.escape(remark, quote=True)}"' if remark else ""
            text = f"{progress.done}/{progress.planned}{mark}"
            if not progress.done:
                text = f"<span class=none>{progress.state}</span>"
            line.append(f"<td{title}>{text}</td>")
        lines.append(line)
    sizes = {
        (row.get("steps"), row.get("batch_images"), row.get("image_size"))
        for row in results.rows["cells.csv"]
    }
    settings = "; ".join(
        f"{steps:,.0f} steps of {batch:.0f} images, {size:.0f} px"
        for steps, batch, size in sorted(sizes, key=str)
        if isinstance(steps, float) and steps == steps and batch == batch and size == size
    )
    return (
        f"<h2 id=run>What was run</h2><p>{done} of {planned} planned cells "
        f"(method × architecture × data × seed){': ' * bool(settings)}{settings}. "
        "Each field: seeds done of those planned; · not planned; † did not converge.</p>"
        + html_table(head, lines)
        + _calls(results)
    )


def _calls(results):
    """The commands that made the run, where its folder knows them."""
    lines = [
        [_words(row["date"]), _words(row["command"]), _words(row["version"])]
        for row in results.rows["calls.csv"]
    ]
    return html_table(["date", "command", "version"], lines) if lines else ""


def _figure(figure):
    head = f"<h3 id={figure.key}>{_text(figure.title)}</h3>"
    if figure.path is None:
        return f"{head}<p class=absent>Not run: {_text(figure.reason)}.</p>"
    caption = _text(figure.caption)
    picture = image(figure.path, figure.title)
    return f"{head}<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def _methods(results):
    methods = results.methods()
    terms = "".join(
        f"<dt>{_text(label(m))}</dt><dd>{_text(EXPLANATIONS.get(m, m))}.</dd>" for m in methods
    )
    return f"<h2 id=methods>Methods</h2><dl>{terms}</dl>"


def _machines(results):
    rows = results.rows["times.csv"]
    if not rows:
        return ""
    found: dict = {}
    for row in rows:
        key = tuple(row.get(k, "") for k in ("device", "backend", "versions"))
        cells, seconds = found.get(key, (0, 0.0))
        spent = sum(
            row[k] for k in ("train_seconds", "evaluate_seconds") if row.get(k, 0) == row.get(k, 0)
        )
        found[key] = cells + 1, seconds + spent
    lines = [
        [_words(device), f"<td>{_text(backend)}</td>", f"<td>{cells}</td>",
         f"<td>{seconds / 3600:.1f}</td>", _words(versions)]
        for (device, backend, versions), (cells, seconds) in found.items()
    ]  # fmt: skip
    head = ["device", "backend", "cells", "hours", "versions"]
    return f"<h2 id=machines>Machines</h2>{html_table(head, lines)}"
