"""From the files of a run to everything that the report consists of."""

from dataclasses import dataclass
from pathlib import Path

from keras_shr.files import check_writable, write_text
from keras_shr.reproduction.report import page
from keras_shr.reproduction.report.architecture_figures import fig8
from keras_shr.reproduction.report.beyond_figures import cost, extra, mpc, theorem3
from keras_shr.reproduction.report.beyond_tables import (
    cost_table,
    robustness_table,
    temporal_table,
    theorem_table,
)
from keras_shr.reproduction.report.claims import claims_csv, claims_markdown, judge_all
from keras_shr.reproduction.report.drawing import Figure
from keras_shr.reproduction.report.example_figures import fig1, fig5
from keras_shr.reproduction.report.method_figures import fig3, fig4
from keras_shr.reproduction.report.methods import data_label
from keras_shr.reproduction.report.paper_tables import (
    fig8_csv,
    fig8_table,
    table1,
    table2,
    table3,
)
from keras_shr.reproduction.report.pipeline_figure import fig2
from keras_shr.reproduction.report.results import Results
from keras_shr.reproduction.report.stability_figures import fig6, fig7, fig9
from keras_shr.reproduction.report.surface_figures import fig10
from keras_shr.reproduction.report.tables import Table
from keras_shr.reproduction.report.time_figures import curves, temporal

FILES = ("report.html", "claims.csv", "fig8.csv", "tables.md", "tables/", "figures/")


@dataclass
class Written:
    """A report and where it lies.

    Attributes:
        output: its folder; the page is `output / "report.html"`.
        results: what was read.
        tables, beyond: the paper's tables and those beyond it.
        figures, more: Figures 1 to 10 and those beyond the paper.
        claims: rows of claims.csv.
    """

    output: Path
    results: Results
    tables: list[Table]
    beyond: list[Table]
    figures: list[Figure]
    more: list[Figure]
    claims: list[dict]

    @property
    def page(self) -> Path:
        return self.output / "report.html"


def write_report(folder, output=None, say=None) -> Written:
    """Write tables, figures, claims and the page of a run.

    Only the CSV files in `folder` (and frames.npz and peaks.npz, where they are) are read; a file
    that is not there means that its part was not run.

    Args:
        folder: what `reproduce` wrote.
        output: where to write, `folder / "report"` by default.
        say: takes one line of progress.

    Raises:
        DataError: a file that is not what it should be.
    """
    results = Results(folder)
    output = Path(output) if output else Path(folder) / "report"
    check_writable(output)
    tell = say or (lambda line: None)
    tables = [table1(results), table2(results), table3(results), fig8_table(results)]
    others = (robustness_table, theorem_table, cost_table, temporal_table)
    beyond = [table for make in others if (table := make(results)) is not None]
    for table in (*tables, *beyond):
        write_text(output / "tables" / f"{table.key}.csv", table.csv())
    write_text(output / "fig8.csv", fig8_csv(results))
    claims = judge_all(results)
    texts = [t.markdown() for t in (*tables, *beyond)] + [claims_markdown(claims, data_label)]
    write_text(output / "tables.md", "\n".join(texts))
    write_text(output / "claims.csv", claims_csv(claims))
    tell(f"{len(tables) + len(beyond)} tables, {len(claims)} verdicts")
    figures = _figures(results, output / "figures")
    more = _more(results, output / "figures")
    _remove_old(output / "figures", (*figures, *more))
    drawn = sum(figure.path is not None for figure in (*figures, *more))
    tell(f"{drawn} figures drawn, {len(figures) + len(more) - drawn} not run")
    written = Written(output, results, tables, beyond, figures, more, claims)
    write_text(written.page, page.render(written))
    return written


def _figures(results, folder):
    return [
        fig1(results, folder),
        fig2(folder),
        fig3(folder),
        fig4(folder),
        fig5(results, folder),
        *(draw(results, folder) for draw in (fig6, fig7, fig8, fig9, fig10)),
    ]


def _more(results, folder):
    return [draw(results, folder) for draw in (cost, theorem3, mpc, extra, temporal, curves)]


def _remove_old(folder, figures):
    """Pictures of an earlier report that this one has no data for would be taken for its own."""
    for figure in figures:
        if figure.path is None:
            for kind in ("png", "svg"):
                (folder / f"{figure.key}.{kind}").unlink(missing_ok=True)
