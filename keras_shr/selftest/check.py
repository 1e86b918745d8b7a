"""One check of the self-test, and its outcome."""

import time
import traceback
from dataclasses import asdict, dataclass, field

from keras_shr.errors import first_line

OK, SKIPPED, FAILED = "ok", "skipped", "FAILED"


class Skip(Exception):
    """Raised by a check that does not apply here; the message says why."""


class Failure(Exception):
    """Raised by a check that found something wrong; the message says what, and what to do."""


@dataclass(frozen=True)
class Outcome:
    """What came of a check.

    Attributes:
        name: of the check.
        status: `"ok"`, `"skipped"` or `"FAILED"`.
        detail: one line: what was seen, why it was skipped, or what went wrong.
        seconds: how long it took.
        figures: numbers that it measured, by name.
        trace: the traceback of an unforeseen error, else empty.
    """

    name: str
    status: str
    detail: str
    seconds: float
    figures: dict = field(default_factory=dict)
    trace: str = ""

    def line(self) -> str:
        """The outcome as one line of text."""
        return f"{self.status:7}  {self.name:24}  {self.detail}"

    def to_dict(self) -> dict:
        """The outcome for JSON."""
        return asdict(self)


def run_check(name, function, *arguments) -> Outcome:
    """Runs a check.

    Args:
        name: of the check.
        function: returns a line, or a line and a dictionary of figures; or raises. Any exception
            is an outcome too: a self-test goes on after a failure.
        arguments: of the function.
    """
    start, figures, trace = time.perf_counter(), {}, ""
    try:
        status, detail = OK, function(*arguments)
        if isinstance(detail, tuple):
            detail, figures = detail
    except Skip as reason:
        status, detail = SKIPPED, str(reason)
    except Failure as reason:
        status, detail = FAILED, str(reason)
    except Exception as error:
        status, detail = FAILED, f"{type(error).__name__}: {first_line(error)}"
        trace = traceback.format_exc()
    seconds = round(time.perf_counter() - start, 2)
    return Outcome(name, status, detail, seconds, figures, trace)
