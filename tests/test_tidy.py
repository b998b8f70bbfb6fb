"""The rules of design.md 9 that a reader would otherwise have to check by eye, by parsing."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.environment import CHECKOUT

ROOMS = ("domain", "adapters", "services", "api", "cli")
LINES_PER_FILE = 400
LINES_PER_FUNCTION = 60

# Who may import what of ours. A root module is a room of its own.
FACTS = {
    "errors",
    "clock",
    "models",
    "database",
    "database_errors",
    "crud",
    "books",
    "domain",
    "uncancelled",
}
FACTS |= {"database_beside"}
FACTS |= {"lnbits_version", "listing", "models_previews", "models_corrections", "origin"}
FACTS |= {"models_reconciliation", "models_watch", "models_health", "models_runbook"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "clock": set(),
    "domain": {"errors", "domain"},
    "models": {"errors", "domain", "models"},
    "models_previews": {"domain", "models"},
    "models_corrections": {"domain", "models"},
    "models_reconciliation": {"domain", "models"},
    "models_watch": {"domain", "models"},
    "models_health": {"domain", "models"},
    "models_runbook": {"domain", "models"},
    "database_errors": {"errors"},
    "database_rows": set(),
    "uncancelled": set(),
    "database": {"errors", "database_errors", "database_rows", "uncancelled"},
    "database_beside": {"database", "uncancelled"},
    "crud": FACTS,
    "listing": {"crud", "database", "domain"},
    "books": FACTS,
    "legacy": FACTS | {"adapters"},  # secrets of old rows are sealed
    "indexes": set(),
    "append_only": set(),
    "tables_corrections": set(),
    "tables_health": set(),
    "tables_runbook": set(),
    "tables_operations": set(),
    "tables_previews": set(),
    "tables_reports": set(),
    "tables_watch": set(),
    "origin": set(),
    "tables_reconciliation": set(),
    "migrations": {
        "legacy",
        "indexes",
        "append_only",
        "tables_corrections",
        "tables_reconciliation",
        "tables_health",
        "tables_runbook",
        "tables_operations",
        "tables_previews",
        "tables_reports",
        "tables_watch",
    },
    "adapters": FACTS | {"adapters"},
    "services": FACTS | {"adapters", "services", "migrations", "legacy"},
    "api": FACTS | {"services", "api", "transaction_processor"},
    "cli": FACTS | {"services", "cli"},
    "tools": set(),  # finds LNbits and hands over to cli
    "page_parts": set(),
    "views": {"errors", "models", "services", "api", "page_parts"},
    "views_api": {"errors", "services", "api"},
    "transaction_processor": {"errors", "clock", "database", "crud", "adapters", "services"},
    "tasks": {"errors", "clock", "crud", "origin", "services", "transaction_processor"},
    "lnbits_version": {"errors"},
    "__init__": {"crud", "lnbits_version", "tasks", "views", "views_api"},
}
# Packages of others that a room may import besides the standard library.
OUTSIDE: dict[str, set[str]] = {
    "errors": set(),
    "clock": set(),
    "domain": set(),
}

# Only the tick swallows what it does not know; others may catch it only to raise on. Each
# exception to that: where, and why.
BROAD_ALLOWED: dict[tuple[str, str], str] = {
    (
        "adapters/lamassu_postgres.py",
        "_connect_direct",
    ): "tries without TLS after two known refusals",
}
CATCHERS = {"tasks.py", "transaction_processor.py"}

# Names that end like a secret and are none.
NO_SECRETS = {"ssh_host_key"}

TEXT_FILES = {".py", ".js", ".html", ".md", ".toml", ".json", ".sql", ".lock", ".css", ".yml", ""}
GENERATED = {"uv.lock", "package-lock.json"}


def product_files() -> list[Path]:
    """What runs inside LNbits."""
    found = sorted(CHECKOUT.glob("*.py"))
    for room in ROOMS:
        found += sorted((CHECKOUT / room).rglob("*.py"))
    return found


def repository_files() -> Iterator[Path]:
    """Every text file of ours, committed or not."""
    hidden = {".git", ".venv", ".tools", ".demo", ".cache", ".hypothesis", "node_modules"}
    hidden.add("__pycache__")
    folders = [CHECKOUT]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            if path.is_dir() and not path.is_symlink():
                if path.name not in hidden and not path.name.endswith("_cache"):
                    folders.append(path)
            elif path.suffix in TEXT_FILES and path.is_file():
                yield path


def name_of(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


def room_of(path: Path) -> str:
    parts = path.relative_to(CHECKOUT).with_suffix("").parts
    return parts[0]


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def each(files: list[Path]) -> Any:
    return pytest.mark.parametrize("path", files, ids=name_of)


def own_imports(path: Path) -> Iterator[tuple[str, int]]:
    """Rooms of ours that a file imports, with the line."""
    depth = len(path.relative_to(CHECKOUT).parts)
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.ImportFrom) or node.level == 0:
            continue
        if node.level < depth:
            yield room_of(path), node.lineno
        elif node.module:
            yield node.module.split(".")[0], node.lineno
        else:
            for alias in node.names:
                yield alias.name, node.lineno


def absolute_imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or "", node.lineno


@each(product_files())
def test_the_import_law(path: Path) -> None:
    room = room_of(path)
    assert room in MAY_IMPORT, f"{name_of(path)}: give this module a place in MAY_IMPORT"
    for imported, line in own_imports(path):
        assert imported in MAY_IMPORT[room], f"{room} may not import {imported} (line {line})"
    ours = {name for name in MAY_IMPORT if name != "__init__"} | {"satmachineadmin"}
    for imported, line in absolute_imports(path):
        top = imported.split(".")[0]
        assert top not in ours, f"line {line}: import our own code relatively"
        if room in OUTSIDE and top not in sys.stdlib_module_names:
            allowed = OUTSIDE[room]
            assert top in allowed or imported in allowed, f"{room} may not import {imported}"


@each(sorted((CHECKOUT / "domain").rglob("*.py")))
def test_the_domain_is_pure(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        where = f"line {getattr(node, 'lineno', 0)}"
        assert not isinstance(node, ast.Constant) or not isinstance(node.value, float), where
        assert not isinstance(node, ast.Await | ast.AsyncFunctionDef), where
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called != "float", where
            impure = r"(^|\.)(now|utcnow|today|time_ns|open|print)$|time\.time$"
            assert not re.search(impure, called), where


@each(product_files())
def test_only_the_tick_swallows_the_unknown(path: Path) -> None:
    if name_of(path) in CATCHERS:
        return
    for function in ast.walk(tree_of(path)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            continue
        name = getattr(function, "name", "")
        if (name_of(path), name) in BROAD_ALLOWED:
            continue
        for node in handlers_of(function):
            caught = ast.unparse(node.type) if node.type else "everything"
            broad = node.type is None or re.search(r"\b(Base)?Exception\b", caught)
            raises_on = isinstance(node.body[-1], ast.Raise)
            assert not broad or raises_on, f"line {node.lineno} swallows {caught}"


def handlers_of(function: ast.AST) -> Iterator[ast.ExceptHandler]:
    """Except clauses of a function, without those of functions inside it."""
    for child in ast.iter_child_nodes(function):
        if isinstance(child, ast.ExceptHandler):
            yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from handlers_of(child)


def test_every_allowed_broad_except_still_exists() -> None:
    for file, name in BROAD_ALLOWED:
        functions = [
            node
            for node in ast.walk(tree_of(CHECKOUT / file))
            if getattr(node, "name", None) == name
        ]
        assert functions, f"{file}: {name} is gone; take it from BROAD_ALLOWED"


def test_no_file_is_too_long() -> None:
    for path in repository_files():
        is_code = path.suffix in (".py", ".js", ".html")
        if is_code and not name_of(path).startswith(("tests/", "static/js/i18n/")):
            lines = len(path.read_text().splitlines())
            assert lines <= LINES_PER_FILE, f"{name_of(path)} has {lines} lines"


def test_no_function_is_too_long() -> None:
    for path in repository_files():
        if path.suffix != ".py" or name_of(path).startswith("tests/"):
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                assert lines <= LINES_PER_FUNCTION, f"{name_of(path)}: {node.name} has {lines}"


def test_nothing_is_left_open() -> None:
    words = "|".join(("TO" + "DO", "FIX" + "ME"))
    # Three X are also ISO 4217's code for no currency: meant only in a comment.
    left_open = re.compile(rf"\b({words})\b|(#|//|<!--).*\b{'X' * 3}\b")
    for path in repository_files():
        if path.name not in GENERATED:
            found = left_open.search(path.read_text())
            assert not found, f"{name_of(path)}: {found}"


def test_no_path_of_a_machine_is_written_down() -> None:
    # In pieces, because this file is read, too.
    names = ("work", "farm", "root", "tmp/lab", "home/[a-z]")
    folders = "|".join("/" + name + "/" for name in names)
    machine = re.compile(rf"(?<![\w.~-])({folders})")
    for path in repository_files():
        found = machine.search(path.read_text())
        assert not found, f"{name_of(path)}: {found}"


def test_lock_files_name_only_the_public_registries() -> None:
    allowed = {
        "uv.lock": {"pypi.org", "files.pythonhosted.org"},
        "package-lock.json": {"registry.npmjs.org"},
    }
    for file, hosts in allowed.items():
        text = (CHECKOUT / file).read_text()
        if file == "package-lock.json":
            # Funding notes of packages are no place anything is fetched from.
            text = "\n".join(re.findall(r'"resolved": .*', text))
        assert set(re.findall(r"\w+://([^/\"]+)", text)) <= hosts, file


def test_the_error_tree_in_the_docstring_is_the_real_one() -> None:
    from satmachineadmin import errors

    told: dict[str, tuple[str, str]] = {}
    parents = ["SatMachineError"]
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r" {4}((?:│   )*)[├└]── (\w+)(?: +(RETRY|HOLD|HALT))?", line)
        if match:
            depth = len(match[1]) // 4 + 1
            parents[depth:] = [match[2]]
            told[match[2]] = (parents[depth - 1], match[3] or "HOLD")

    real = {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.SatMachineError)
    }
    assert set(told) | {"SatMachineError"} == set(real)
    for name, (parent, disposition) in told.items():
        assert issubclass(real[name], real[parent]), name
        assert real[name].disposition.value == disposition, name
    codes = [value.code for value in real.values()]
    assert len(codes) == len(set(codes))


def test_no_answer_of_the_api_carries_a_secret() -> None:
    from satmachineadmin import satmachineadmin_ext

    secret = re.compile(r"(^|_)(password|key|secret|passphrase)$")
    seen: set[int] = set()

    def fields(field: Any) -> Iterator[str]:
        for inner in field.sub_fields or ():
            yield from fields(inner)
        model = field.type_
        if hasattr(model, "__fields__") and id(model) not in seen:
            seen.add(id(model))
            for name, inner in model.__fields__.items():
                if inner.type_ is not bool:  # has_password says only whether there is one
                    yield f"{model.__name__}.{name}"
                yield from fields(inner)

    for route in satmachineadmin_ext.routes:
        answer = getattr(route, "response_field", None)
        for name in fields(answer) if answer is not None else ():
            last = name.split(".")[-1]
            assert last in NO_SECRETS or not secret.search(last), f"{route.path}: {name}"


def test_every_script_is_type_checked() -> None:
    for path in repository_files():
        if path.suffix == ".js":
            assert path.read_text().startswith("// @ts-check\n"), name_of(path)


def test_config_and_manifest_are_what_lnbits_reads() -> None:
    from lnbits.core.models.extensions import ExtensionConfig, Manifest

    config = json.loads((CHECKOUT / "config.json").read_text())
    project = (CHECKOUT / "pyproject.toml").read_text()
    assert ExtensionConfig(**config).is_version_compatible()
    assert f'\nversion = "{config["version"]}"\n' in project
    prefix = "/satmachineadmin/"
    assert config["tile"].startswith(prefix)
    assert (CHECKOUT / config["tile"].removeprefix(prefix)).is_file()

    manifest = Manifest(**json.loads((CHECKOUT / "manifest.json").read_text()))
    for entry in (*manifest.repos, *manifest.extensions):
        assert entry.id == "satmachineadmin"
