"""Nothing in the package executes or builds whatever a file says."""

import re
from pathlib import Path

import keras_shr


def test_no_other_place_runs_what_a_file_says():
    """Calls that execute or build whatever a file holds, and the modules that may have them."""
    allowed = {
        "pickle.load(": {"data/_worker.py", "data/workers.py", "evaluation/worker.py",
                         "evaluation/perturber.py"},  # pipes to our own processes
        "pickle.loads(": {"data/_worker.py"},
        "load_model(": {"models/pretrained.py", "export/convert.py", "export/comparison.py",
                        "cli/export.py", "cli/compare_export.py", "selftest/parts.py"},
        "runpy.": {"training/config.py"},  # the user's own configuration
        "allow_pickle=True": set(),
        "safe_mode=False": set(),
        "enable_unsafe_deserialization": set(),
        "eval(": set(),
        "exec(": {"evaluation/worker.py"},
        "os.system(": set(),
        "shell=True": set(),
        "yaml": set(),
        "Image.open(": {"perturbations/_frost_pictures.py"},  # of an installed package
    }  # fmt: skip
    package = Path(keras_shr.__file__).parent
    for path in package.rglob("*.py"):
        name = path.relative_to(package).as_posix()
        text = "\n".join(line for line in path.read_text().splitlines() if ">>>" not in line)
        for words, places in allowed.items():
            if name not in places:
                assert not re.search(r"(?<![\w.])" + re.escape(words), text), f"{name} has {words}"
