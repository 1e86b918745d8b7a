"""Write the API reference from the docstrings: python docs/api/make.py [site/api]

Names stand where users import them: on the page of the package that lists them in `__all__`.
"""

import argparse
import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = "keras_shr"
INTERNAL = ("cli",)  # `keras-shr --help` describes it
WITHOUT_ALL = ("heatmaps", "memory")  # modules of which every public function is meant for users


def public_modules() -> list[str]:
    """Names of the modules that users import from, the root first."""
    root = importlib.import_module(ROOT)
    names = [info.name for info in pkgutil.iter_modules(root.__path__) if info.ispkg]
    found = [ROOT]
    for name in sorted({*names, *WITHOUT_ALL} - {*INTERNAL}):
        module = importlib.import_module(f"{ROOT}.{name}")
        if name in WITHOUT_ALL:
            found.append(module.__name__)
        elif hasattr(module, "__all__"):
            members = [getattr(module, member) for member in module.__all__]
            found += [module.__name__, *(m.__name__ for m in members if inspect.ismodule(m))]
    return found


def public_members(module) -> dict:
    """Name → object of what a module offers, modules aside."""
    names = getattr(module, "__all__", None)
    if names is None:
        names = [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
        ]
    members = {name: getattr(module, name) for name in names}
    return {name: value for name, value in members.items() if not inspect.ismodule(value)}


def constant_origin(module, name) -> str:
    """The module that defines a constant which `module` passes on."""
    for statement in ast.parse(inspect.getsource(module)).body:
        if isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                if (alias.asname or alias.name) == name:
                    return constant_origin(importlib.import_module(statement.module), alias.name)
    return module.__name__


def write(output):
    """The reference as HTML below `output`."""
    import pdoc

    pdoc.render.configure(docformat="google", template_directory=HERE)
    modules = {name: pdoc.doc.Module.from_name(name) for name in public_modules()}
    for page in modules.values():
        for member in page.members.values():
            if member.kind == "variable" and not member.docstring:
                origin = constant_origin(page.obj, member.name)
                found = pdoc.doc.Module.from_name(origin).members.get(member.name)
                member.docstring = found.docstring if found else ""
    output = Path(output)
    for name, page in modules.items():
        path = output / f"{name.replace('.', '/')}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pdoc.render.html_module(page, modules), encoding="utf-8")
    (output / "index.html").write_text(pdoc.render.html_index(modules), encoding="utf-8")
    (output / "search.js").write_text(pdoc.render.search_index(modules), encoding="utf-8")
    return len(modules)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", nargs="?", default="site/api")
    output = parser.parse_args().output
    print(f"{write(output)} pages: {output}/index.html")


if __name__ == "__main__":
    main()
