"""`report`: tables, figures, claims and a page from the CSV files of a run, without training."""

from keras_shr.reproduction.report.write import FILES, Written, write_report

__all__ = ["FILES", "Written", "write_report"]
