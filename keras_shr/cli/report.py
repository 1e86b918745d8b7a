"""Draw tables, figures, claims and a page from the CSV files that reproduce wrote.

    keras-shr report results/reproduce/gpu

Writes report.html, claims.csv, fig8.csv, tables and figures (PNG and SVG) into DIR/report. Trains
nothing and takes about a minute. What a run did not get to is called "not run".
"""


def add_arguments(parser):
    parser.add_argument("folder", metavar="DIR", help="folder that reproduce wrote")
    parser.add_argument("--output", metavar="FOLDER", help="where to write; default DIR/report")


def run(arguments):
    from keras_shr.reproduction.report import write_report

    print(write_report(arguments.folder, arguments.output, say=print).page)
