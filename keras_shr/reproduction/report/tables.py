"""A table once, written as CSV, Markdown and HTML."""

import html
import math
from dataclasses import dataclass, field

from keras_shr.evaluation.summary import csv_text
from keras_shr.evaluation.tables import table as html_table
from keras_shr.reproduction.report.methods import architecture_label, data_label, label
from keras_shr.reproduction.report.results import MARK
from keras_shr.reproduction.suites import MAIN

NOT_RUN = "not run"
FIELDS = (
    *("table", "source", "method", "architecture", "data", "metric", "group", "kind", "unit"),
    *("value", "spread", "low", "high", "seeds", "planned", "status", "remark"),
)


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: what is shown; `interval` and `seeds` are small print.
        mark: behind the text, see `Table.notes`.
        record: its row of the CSV.
        quoted: whether it stands in the paper.
    """

    text: str
    interval: str = ""
    seeds: str = ""
    mark: str = ""
    record: dict | None = None
    quoted: bool = False


@dataclass
class Table:
    """A table of the report.

    Attributes:
        key: file name without its ending.
        title, caption: words above and below.
        head: column headings; a line break separates the small print.
        rows: lists of a heading and cells.
        splits: indices of rows with a line above.
    """

    key: str
    title: str
    head: list[str]
    caption: str = ""
    rows: list = field(default_factory=list)
    splits: set = field(default_factory=set)

    @property
    def cells(self):
        return [cell for row in self.rows for cell in row if isinstance(cell, Cell)]

    @property
    def seeds(self) -> str:
        """How many seeds every measured cell has, or "" where they differ."""
        found = {cell.seeds for cell in self.cells if cell.seeds}
        return found.pop() if len(found) == 1 else ""

    @property
    def words(self) -> str:
        """The caption and the number of seeds, where it is the same everywhere."""
        return self.caption + (f" {self.seeds} in every cell that was run." if self.seeds else "")

    @property
    def notes(self) -> list[str]:
        """What the marks in it mean."""
        reasons: dict = {}
        for cell in self.cells:
            for fault in cell.record["remark"].split("; ") if cell.mark else ():
                name, place = label(cell.record["method"]), data_label(cell.record["data"])
                if cell.record["architecture"] != MAIN:
                    place += f", {architecture_label(cell.record['architecture'])}"
                of_all = fault.startswith("the baseline")
                reason = f"{place}: {fault}" if of_all else fault.partition(" (")[0]
                who = "all" if of_all else f"{name} ({place})"
                reasons.setdefault(reason, {})[who] = None
        if not reasons:
            return []
        lines = [f"{MARK} not converged, so no comparison counts:"]
        return lines + [f"{reason} – {', '.join(who)}" for reason, who in reasons.items()]

    def csv(self) -> str:
        records = [cell.record | {"table": self.key} for cell in self.cells if cell.record]
        return csv_text([{key: r.get(key) for key in FIELDS} for r in records], FIELDS)

    def markdown(self) -> str:
        """For the README: the cells in one line each."""
        head = [column.replace("\n", " ") for column in self.head]
        lines = [f"**{self.title}**", "", markdown_line(head), markdown_line(["---"] * len(head))]
        lines += [
            markdown_line([self._plain(cell) if isinstance(cell, Cell) else cell for cell in row])
            for row in self.rows
        ]
        lines += ["", self.words, *self.notes[:1], *(f"- {note}" for note in self.notes[1:])]
        return "\n".join(lines) + "\n"

    def _plain(self, cell):
        seeds = f"({cell.seeds})" if cell.seeds and not self.seeds else ""
        return " ".join(part for part in (cell.text + cell.mark, cell.interval, seeds) if part)

    def html(self) -> str:
        head = []
        for column in self.head:
            first, _, small = column.partition("\n")
            head.append(html.escape(first) + (f"<small>{html.escape(small)}</small>" * bool(small)))
        lines = [[_html_cell(cell, not self.seeds) for cell in row] for row in self.rows]
        classes = ["split" if i in self.splits else "" for i in range(len(lines))]
        notes = ""
        if self.notes:
            items = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes[1:])
            notes = (
                f"<details class=quiet><summary>{html.escape(self.notes[0])}</summary>"
                f"<ul>{items}</ul></details>"
            )
        return (
            f"<h3 id={self.key}>{html.escape(self.title)}</h3>"
            + html_table(head, lines, classes)
            + f"<p class=quiet>{html.escape(self.words)}</p>{notes}"
        )


def markdown_line(cells) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _html_cell(cell, with_seeds):
    if not isinstance(cell, Cell):
        return f"<td>{html.escape(cell)}</td>"
    kind = "quoted" if cell.quoted else "none" if cell.text in (NOT_RUN, "–", "failed") else ""
    lines = (cell.interval, cell.seeds if with_seeds else "")
    small = "".join(f"<small>{html.escape(line)}</small>" for line in lines if line)
    title = (
        f" title={_quote(cell.record['remark'])}"
        if cell.record and cell.record.get("remark")
        else ""
    )
    mark = f"<sup>{cell.mark}</sup>" if cell.mark else ""
    return f"<td{f' class={kind}' * bool(kind)}{title}>{html.escape(cell.text)}{mark}{small}</td>"


def _quote(text):
    return f'"{html.escape(text, quote=True)}"'


def quoted(value, style, unit, **columns) -> Cell:
    """A number of the paper; a dash where it gives none."""
    if value is None:
        return Cell("–", quoted=True)
    record = {"source": "paper", "unit": unit, "value": value, "status": "quoted"} | columns
    return Cell(format(value, style), record=record, quoted=True)


def plural(count, word):
    return f"{count} {word}{'s' * (count != 1)}"


def measured(
    results,
    method,
    data,
    metric,
    style=".1f",
    unit="%",
    group="clean",
    kind="",
    architecture=None,
) -> Cell:
    """Our value over seeds as `mean ± spread`, with its seeds and the mark of no convergence.

    AUC, RUC and other shares are in % where `unit` says so.
    """
    scale = 100 if unit == "%" else 1
    progress = results.progress(method, data, architecture)
    estimate = results.estimate(method, data, metric, group, kind, architecture=architecture)
    record = {
        "source": "ours",
        "method": method,
        "architecture": architecture or results.main,
        "data": data,
        "metric": metric,
        "group": group,
        "kind": kind,
        "unit": unit,
        "planned": progress.planned,
        "seeds": 0,
        "status": progress.state,
        "remark": progress.failure,
    }
    if estimate is None:
        if progress.state in (NOT_RUN, "failed"):
            return Cell(progress.state, record=record)
        return Cell("–", record=record | {"status": "no value"})  # run, but this was not measured
    record |= {
        "value": scale * estimate.value,
        "spread": scale * estimate.spread,
        "low": scale * estimate.low,
        "high": scale * estimate.high,
        "seeds": estimate.n,
        "status": progress.state,
        "remark": "; ".join(progress.faults),
    }
    text, interval = format(scale * estimate.value, style), ""
    seeds = plural(estimate.n, "seed")
    if estimate.n < progress.planned:
        seeds = f"{estimate.n} of {plural(progress.planned, 'seed')}"
    if estimate.n > 1:
        text += f" ± {format(scale * estimate.spread, style)}"
    elif math.isfinite(estimate.low):
        low, high = (format(scale * end, style) for end in (estimate.low, estimate.high))
        interval = f"[{low}, {high}]"
    return Cell(text, interval, seeds, MARK if progress.faults else "", record)
