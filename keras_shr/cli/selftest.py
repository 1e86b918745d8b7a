"""Check that everything works on this machine, in a minute or two.

    keras-shr selftest
    KERAS_BACKEND=jax keras-shr selftest --json

One line for each check: ok, skipped (and why) or FAILED (and what to do). The command fails
(status 1) if a check does.
"""

import json
import sys


def add_arguments(parser):
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def run(arguments):
    from keras_shr import selftest
    from keras_shr.selftest.check import FAILED

    outcomes = []
    for outcome in selftest.run_selftest():
        outcomes.append(outcome)
        if not arguments.json:
            print(outcome.line(), flush=True)
        if outcome.trace:
            print(outcome.trace, file=sys.stderr)
    failed = sum(outcome.status == FAILED for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    if arguments.json:
        checks = [outcome.to_dict() for outcome in outcomes]
        print(json.dumps({"passed": not failed, "seconds": round(seconds, 1), "checks": checks}))
    else:
        words = f"{failed} of {len(outcomes)} checks FAILED" if failed else "all is well"
        print(f"{words} ({seconds:.0f} s)")
    return 1 if failed else 0
