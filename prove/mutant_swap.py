"""Put a mutated source into the running product, and take it out again.

A mutant is a replacement in one file. Its text is compiled, and the code of every function that
it changed takes the place of the code that runs; a changed constant takes the place of the old one
wherever the product holds it. So LNbits boots once, and what runs is what the mutated file says.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

PACKAGE = "satmachineadmin"


class Unfit(Exception):
    """The mutant is not what its list says: the text is not there, or there twice."""


def mutated(path: Path, old: str, new: str) -> tuple[str, str]:
    """(the file as it is, the file with its guard removed)."""
    text = path.read_text()
    if text.count(old) != 1:
        raise Unfit(f"{path.name}: the text {old!r} is there {text.count(old)} times, not once")
    return text, text.replace(old, new)


@contextmanager
def swapped(checkout: Path, file: str, old: str, new: str) -> Iterator[None]:
    """The product runs the mutated file inside this block."""
    before, after = mutated(checkout / file, old, new)
    module = importlib.import_module(".".join([PACKAGE, *Path(file).with_suffix("").parts]))
    undo: list[tuple[Any, str, Any]] = []
    try:
        _swap(module, before, after, undo)
        yield
    finally:
        for owner, name, value in reversed(undo):
            setattr(owner, name, value)


def _swap(module: ModuleType, before: str, after: str, undo: list[tuple[Any, str, Any]]) -> None:
    was = {_name(node): ast.dump(node) for node in ast.parse(before).body}
    changed = [node for node in ast.parse(after).body if ast.dump(node) != was.get(_name(node))]
    if not changed:
        raise Unfit("nothing changed")
    codes = _codes(compile(after, module.__file__ or "", "exec", dont_inherit=True))
    for node in changed:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            _set_code(vars(module)[node.name], codes[node.name], undo)
        elif isinstance(node, ast.ClassDef):
            owner = vars(module)[node.name]
            for name, value in vars(owner).items():
                place = f"{node.name}.{name}"
                if place in codes and _function(value) is not None:
                    _set_code(value, codes[place], undo)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            expression = compile(ast.Expression(node.value), "<mutant>", "eval")
            # The mutated text of this checkout, in the namespace it was written for.
            _set_constant(module, _name(node), eval(expression, vars(module)), undo)
        else:
            raise Unfit(f"a {type(node).__name__} cannot be swapped")


def _name(node: ast.stmt) -> str:
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0])
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.target)
    return getattr(node, "name", "") or ast.unparse(node)


def _codes(code: CodeType, prefix: str = "") -> dict[str, CodeType]:
    """The functions of a module, and those of its classes, by name."""
    found = {}
    for part in code.co_consts:
        if isinstance(part, CodeType):
            found[prefix + part.co_name] = part
            if not prefix:
                found |= _codes(part, f"{part.co_name}.")
    return found


def _function(value: Any) -> FunctionType | None:
    """The plain function behind what a decorator made of it."""
    if isinstance(value, property):
        value = value.fget
    value = getattr(value, "__func__", value)
    while hasattr(value, "__wrapped__"):
        value = value.__wrapped__
    return value if isinstance(value, FunctionType) else None


def _set_code(value: Any, code: CodeType, undo: list[tuple[Any, str, Any]]) -> None:
    function = _function(value)
    if function is None:
        raise Unfit(f"{value!r} is no function")
    undo.append((function, "__code__", function.__code__))
    function.__code__ = code


def _set_constant(
    module: ModuleType, name: str, value: Any, undo: list[tuple[Any, str, Any]]
) -> None:
    old = vars(module)[name]
    if old == value:
        raise Unfit("the constant is the same")
    for holder in list(sys.modules.values()):
        # Tests hold it, too, if they import it.
        if isinstance(holder, ModuleType) and vars(holder).get(name) is old:
            undo.append((holder, name, old))
            setattr(holder, name, value)
