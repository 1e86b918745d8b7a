"""One line that says how far a long command is and how long it will still take."""

import sys
import time


def clock(seconds) -> str:
    """Seconds as `42 s`, `3 min 05 s` or `2 h 07 min`."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


class Progress:
    """Counts steps and reports them.

    Args:
        total: steps in all.
        show: True writes to standard error (one line redrawn on a terminal, a new line every half
            minute elsewhere), False nothing, and a callable is called as
            `show(done, total, seconds_left, text)` at most ten times a second.
        done: steps finished by an earlier run; they do not count for the pace.
    """

    def __init__(self, total, show=True, done=0):
        self.total, self.done, self._earlier = total, done, done
        self._show = show
        self._started = self._last = time.monotonic()
        self._terminal = show is True and sys.stderr.isatty()

    def advance(self, steps, text=""):
        """Count `steps` more."""
        self.done += steps
        now = time.monotonic()
        finished = self.done >= self.total
        pause = 0.1 if callable(self._show) or self._terminal else 30
        if self._show is False or (now - self._last < pause and not finished):
            return
        self._last = now
        pace = (now - self._started) / max(self.done - self._earlier, 1)
        left = pace * (self.total - self.done)
        if callable(self._show):
            self._show(self.done, self.total, left, text)
            return
        line = f"{self.done}/{self.total} pictures ({100 * self.done / self.total:.0f} %) "
        line += f"in {clock(now - self._started)}" if finished else f"{clock(left)} left"
        end = "\n" if finished or not self._terminal else ""
        start = "\r\033[K" if self._terminal else ""
        sys.stderr.write(f"{start}{line}  {text}{end}")
        sys.stderr.flush()
