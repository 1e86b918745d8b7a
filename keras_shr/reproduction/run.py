"""Plans the cells of suites and works them off, as far as time allows."""

import contextlib
import csv
import gc
import hashlib
import io
import os
import time
import traceback
from pathlib import Path

import keras

from keras_shr._compile import without_retracing_warnings
from keras_shr.data import load_arrays, open_data
from keras_shr.errors import KerasShrError, first_line
from keras_shr.evaluation.motion import clips_of
from keras_shr.evaluation.protocol import data_fingerprint
from keras_shr.files import (
    is_storage_error,
    make_folder,
    remove_leftovers,
    write_json,
    write_text,
)
from keras_shr.reproduction import clock
from keras_shr.reproduction.cells import Cell
from keras_shr.reproduction.clock import Deadline, Estimate, OutOfTime
from keras_shr.reproduction.data_sets import load_test, make_data_set, parse_data
from keras_shr.reproduction.kept import kept_cells
from keras_shr.reproduction.measures import perturbed_pictures
from keras_shr.reproduction.one_cell import Work, commit, is_done, run_cell, versions
from keras_shr.reproduction.results import write_tables
from keras_shr.reproduction.sizes import find_size
from keras_shr.reproduction.state import PLAN, read_plan
from keras_shr.reproduction.suites import planned_cells

CALLS = "calls.csv"
_TABLES_SECONDS = 4.0


def reproduce(
    suites,
    output,
    data=("rendered",),
    size="cpu",
    seeds=1,
    video=None,
    time_limit=None,
    workers=0,
    say=clock.say,
    command="",
) -> list[Cell]:
    """Trains and evaluates the cells of suites in `output` and writes its tables.

    The same call goes on where an earlier one stopped, also on another machine that has the
    folder. Several processes may work in one folder: each takes cells that no other has.

    Args:
        suites: names in `keras_shr.reproduction.SUITES`, or of methods, for these alone. Those of
            earlier calls stay in the tables.
        output: the run's folder.
        data: `"rendered"` or `"NAME=SPECIFICATION"` with the parts train and test.
        size: a key of `SIZES`, or a `Size`.
        seeds: how many, from 0.
        video: consecutive frames as `open_data` takes them, on which jitter is measured too;
            each group is a clip. It may be given later: the cells are not trained again.
        time_limit: seconds after which it stops, in a state to go on from. Compiling a training
            step cannot be stopped from within; the command ends the process then.
        workers: processes that render and perturb, 0 for all cores.
        say: takes one line of progress.
        command: how it was called, for calls.csv.

    Returns:
        The cells of these suites that are left, an empty list when all are done.

    Raises:
        KerasShrError: settings that have to be changed. A cell that fails does not end the run: it
            is named in cells.csv and tried again by the next call.
        OSError: the disk takes no more.
    """
    for name, value in (("seeds", seeds), ("time_limit", time_limit)):
        if value is not None and not value > 0:
            raise KerasShrError(f"{name} is {value}; it must be above 0")
    deadline = Deadline(None if time_limit is None else time_limit - _for_tables(time_limit))
    output = Path(output)
    make_folder(output)
    with _lock(output, wait=True):
        remove_leftovers(output)
        size, specs = _plan(output, suites, data, size, seeds)
        if command:
            _note_call(output, command)
    wanted = planned_cells(suites, specs, seeds)
    todo = _left(wanted, output, video)
    say(f"{len(wanted)} cells, {len(wanted) - len(todo)} of them done")
    frames = None if video is None else load_arrays(open_data(video, None, size.image_size), 0)
    try:
        sets, tests, pictures = _data_sets(output, specs, size, deadline, workers, say, todo)
    except OutOfTime:
        return todo
    if frames is not None:
        _check_video(frames, sets)
    with _lock(output, wait=True):
        _plan_tests(output, tests, video, frames)
    work = Work(size, sets, tests, pictures, deadline, say, workers or None, frames)
    _write_tables(output, size, sets)  # what is planned can be seen from the start, as not run
    with without_retracing_warnings():
        for _ in _worked_off(todo, output, work, say):
            _write_tables(output, size, sets)
    _write_tables(output, size, sets, tests)
    return _left(wanted, output, video)


def _current_plan(output):
    """What this call, and those beside it, have planned."""
    plan = read_plan(output)
    if plan is None:
        raise KerasShrError(f"{output / PLAN}: removed while the run was going on; start it again")
    return plan


def _write_tables(output, size, sets, tests=None):
    """Those of all that is planned by now: other processes may have planned more."""
    with _lock(output, wait=True):
        kept, plan = kept_cells(output), _current_plan(output)
        cells = planned_cells(plan["suites"], plan["data"], plan["seeds"])
        cells += [cell for cell in kept if cell not in cells]
        write_tables(output, cells, kept, size, sets, tests)


def _note_call(output, command):
    """Adds a line to calls.csv: when, how and with which version."""
    path = output / CALLS
    text = path.read_text(encoding="utf-8") if path.exists() else "date,command,version\n"
    line = io.StringIO()
    today = time.strftime("%Y-%m-%d", time.gmtime())
    version = versions() + (f", commit {checkout}" if (checkout := commit()) else "")
    csv.writer(line, lineterminator="\n").writerow([today, command, version])
    write_text(path, text + line.getvalue())


def _for_tables(time_limit):
    """Seconds of a limit that are kept for writing the tables."""
    return min(_TABLES_SECONDS, 0.05 * time_limit)


def _left(cells, output, video):
    kept = kept_cells(output)

    def done(cell):
        return cell in kept or is_done(cell, output / "cells" / cell.key, video is not None)

    return [cell for cell in cells if not done(cell)]


def _check_video(frames, sets):
    """Before the hours of training after which it would be found."""
    for name, one in sets.items():
        if len(frames.skeleton) != len(one.test.skeleton):
            raise KerasShrError(
                f"the video {frames.name} has {len(frames.skeleton)} keypoints and {name} "
                f"{len(one.test.skeleton)}"
            )
    if not clips_of(frames.groups):
        raise KerasShrError(
            f"the video {frames.name} has no clip of three frames or more (frames of one film "
            "need one 'group')"
        )


def _plan_tests(output, tests, video, frames):
    """Every cell is measured on the same pictures, those of the first call that gave any."""
    plan = _current_plan(output)
    known = plan.setdefault("tests", {})
    for name, test in tests.items():
        # Names, not pixels: libraries round the last bit of a picture in different ways.
        given = hashlib.sha256("\n".join(test.ids).encode()).hexdigest()
        if known.setdefault(name, given) != given:
            raise KerasShrError(
                f"{output}: its cells are measured on other pictures of {name}; give these again, "
                "or another --output"
            )
    if frames is not None:
        given = data_fingerprint(frames)
        before = plan.setdefault("video", {"data": str(video), "fingerprint": given})
        if before["fingerprint"] != given:
            raise KerasShrError(
                f"{output}: its cells are measured on other frames (video={before['data']!r}); "
                "give these again, or another --output"
            )
    write_json(output / PLAN, plan)


def _is_begun(output):
    """Whether there is more than a plan: pictures of a data set, tables, anything of a cell."""
    found = ("data/*/*/*", "cells/*/[!.]*", "scores.csv")
    return any(any(output.glob(what)) for what in found)


def _plan(output, suites, data, size, seeds):
    """The size and the data; once begun, they must be the earlier ones."""
    size = find_size(size) if isinstance(size, str) else size
    plan = {"size": size.to_dict(), "data": parse_data(data)}
    before = read_plan(output)
    if before is not None and before | plan != before and not _is_begun(output):
        before = None  # a mistake in a first call does not take the folder
    if before is not None:
        for key, value in plan.items():
            if before[key] != value:
                changed = [k for k in value if before[key].get(k) != value[k]] or list(before[key])
                raise KerasShrError(
                    f"{output}: holds a run with another {key} ({changed[0]}="
                    f"{before[key].get(changed[0])!r}); give another --output"
                )
        suites = list(dict.fromkeys([*before["suites"], *suites]))
        seeds = max(seeds, before["seeds"])
    planned_cells(suites, plan["data"], seeds)  # names what is unknown
    kept_cells(output)  # or the tables
    write_json(output / PLAN, (before or {}) | plan | {"suites": list(suites), "seeds": seeds})
    return size, plan["data"]


def _data_sets(output, specs, size, deadline, workers, say, todo):
    """Name → `DataSet`, name → test images, name → folder of their perturbed copies.

    The copies are made for the data of the cells in `todo` alone.
    """
    wanted = {cell.data for cell in todo}
    tell = clock.seldom(say, 10)

    def progress(done, count, part):
        tell(f"rendering: {done} of {count} ({part})")
        deadline.check()

    def perturbing(done, total, left, text):
        tell(f"perturbing the test images: {done} of {total}")
        deadline.check()

    sets, tests, pictures = {}, {}, {}
    for name, spec in specs.items():
        folder = output / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder, wait=True):
            remove_leftovers(folder / "perturbed")
            sets[name] = make_data_set(name, spec, size, folder, workers, progress)
            tests[name] = load_test(sets[name], size)
            if name in wanted:
                pictures[name] = perturbed_pictures(
                    tests[name], size, folder / "perturbed", workers or None, perturbing
                )
    return sets, tests, pictures


def _worked_off(todo, output, work, say):
    """Yields each cell that is done."""
    estimate = Estimate()
    for number, cell in enumerate(todo, 1):
        folder = output / "cells" / cell.key
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder) as mine:
            if not mine or is_done(cell, folder, work.video is not None):
                continue
            say(f"[{number}/{len(todo)}] {cell}{estimate.left(todo[number - 1 :])}")
            remove_leftovers(folder)
            started, whole = time.monotonic(), not (folder / "config.json").exists()
            try:
                work.deadline.check()
                run_cell(cell, folder, work)
            except OutOfTime:
                say("the time limit was reached; the same command goes on")
                return
            except Exception as error:
                if is_storage_error(error):
                    raise
                # Hours of other cells should not be lost to one.
                write_text(folder / "failed.txt", f"{first_line(error)}\n{traceback.format_exc()}")
                say(f"  failed: {first_line(error)} ({folder / 'failed.txt'})")
                continue
            (folder / "failed.txt").unlink(missing_ok=True)
            if whole:  # not only the rest of it
                estimate.add(cell, time.monotonic() - started)
        yield cell
        keras.utils.clear_session()
        gc.collect()


@contextlib.contextmanager
def _lock(folder, wait=False):
    """Whether this process has the folder to itself; a process that dies lets go of it."""
    with open(folder / ".lock", "w") as file:
        if os.name != "posix":  # one process at a time elsewhere
            yield True
            return
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
