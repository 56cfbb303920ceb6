"""Makes the vehicle's wheel lean: of every module, without comments and without docstrings that no caller sees.

What `segtool_runtime` exports keeps its docstrings, so `help(Segmenter)` answers in the car too. Every line keeps its
number, so a traceback from a vehicle points at the line in the repository. That takes a quarter off the wheel.
"""

import ast
import io
import tokenize
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class LeanBuild(build_py):
    """Copies modules as setuptools does, then leans what was copied."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """Returns package, module and file of each module; this file is none."""
        return [found for found in super().find_package_modules(package, package_dir) if found[1] != "setup"]

    def build_module(self, module: str, module_file: str, package: str) -> tuple[str, bool]:
        """Returns the copy's path and whether it was copied, as the parent class does."""
        copy, copied = super().build_module(module, module_file, package)
        if module != "__init__":
            exported = exported_names(Path("__init__.py").read_text(encoding="utf-8"))
            source = Path(copy).read_text(encoding="utf-8")
            Path(copy).write_text(lean(source, exported), encoding="utf-8")
        return copy, copied


def exported_names(source: str) -> set[str]:
    """Returns the names in a module's `__all__`."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "__all__":
            return set(ast.literal_eval(node.value))
    raise ValueError("__init__.py: a list __all__ was expected, there is none; write one")


def lean(source: str, exported: set[str]) -> str:
    """Blanks comments and the docstrings of whatever is not exported; no line is moved, no statement changed."""
    lines = source.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip() + "\n"
    for docstring in _unseen_docstrings(ast.parse(source), exported):
        first, last = docstring.lineno - 1, docstring.end_lineno or docstring.lineno
        lines[first] = " " * docstring.col_offset + '""\n'  # a body may hold nothing else
        lines[first + 1 : last] = ["\n"] * (last - first - 1)
    return "".join(lines)


def _unseen_docstrings(module: ast.Module, exported: set[str]) -> list[ast.Expr]:
    found = [module.body[0]] if ast.get_docstring(module) else []
    waiting = [node for node in module.body if isinstance(node, Documented) and node.name not in exported]
    while waiting:
        node = waiting.pop()
        if ast.get_docstring(node):
            found.append(node.body[0])
        waiting += [inner for inner in ast.walk(node) if isinstance(inner, Documented) and inner is not node]
    unique = {expression.lineno: expression for expression in found if isinstance(expression, ast.Expr)}
    return list(unique.values())


if __name__ == "__main__":
    setup(cmdclass={"build_py": LeanBuild})
