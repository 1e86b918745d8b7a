"""What protects the user, what it looks like without it, and the test that then fails.

Each `*.toml` here is a list of

    [[protection]]
    says = "what is safe"
    file = "keras_shr/..."       # the file that protects
    old = '''...'''              # text that stands in it once
    new = '''...'''              # the same without the protection
    test = "tests/...::test"     # pytest's name of a test that must fail then
    backend = "jax"              # where TensorFlow is not what the test is for

Where several lines protect from the same, and none alone is missed, `old` and `new` are lists.

Perturbations have a tool of their own (`tests/perturbations/perturbation_mutants.py`): hundreds of
wrong constants, each planted in the running process and held against statistics of pictures.
"""

import ast
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Mutant:
    says: str
    file: str
    old: str | list
    new: str | list
    test: str
    backend: str = "tensorflow"

    def problem(self, root=ROOT):
        """Why the mutant cannot be made from the files below `root`, or None."""
        path = Path(root) / self.file
        if not path.is_file():
            return f"{self.file}: there is no such file"
        text = path.read_text(encoding="utf-8")
        for old, new in self._changes():
            found = text.count(old)
            if found != 1:
                return f"{self.file}: the text to change stands there {found} times, not once"
            if old == new:
                return f"{self.file}: the text is not changed"
        if path.suffix == ".py":
            try:
                ast.parse(self.changed(root))
            except SyntaxError as error:
                return f"{self.file}: without the protection it is no Python ({error})"
        return self._no_test(Path(root))

    def changed(self, root=ROOT):
        """The text of the file without the protection."""
        text = (Path(root) / self.file).read_text(encoding="utf-8")
        for old, new in self._changes():
            text = text.replace(old, new)
        return text

    def _changes(self):
        old, new = ([v] if isinstance(v, str) else v for v in (self.old, self.new))
        return list(zip(old, new, strict=True))

    def _no_test(self, root):
        file, _, name = self.test.partition("::")
        path, name = root / file, name.partition("[")[0]
        if not path.is_file():
            return f"{self.test}: there is no such file"
        functions = {n.name for n in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                     if isinstance(n, ast.FunctionDef)}  # fmt: skip
        return None if name in functions else f"{self.test}: there is no such test"


def mutants(folder=None):
    """All mutants, in the order of the files."""
    found = []
    for path in sorted(Path(folder or Path(__file__).parent).glob("*.toml")):
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["protection"]:
            found.append(Mutant(**entry))
    return found
