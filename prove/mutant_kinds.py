"""What a mutant is: one guard of the money path, and how to take it away.

They stand in mutants_*.txt, as a person reads a patch: the guard after "-", what is there without
it after "+" (parts of lines or several; an empty last one ends a line), then the tests that must
notice, the likeliest first. `postgres`: it is a guard of that database only. `equivalent`: nothing
changes without it, and why; it is not run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

LISTS = tuple(sorted(Path(__file__).parent.glob("mutants_*.txt")))


@dataclass(frozen=True)
class Mutant:
    """`old` stands once in `file`; with `new` in its place one of `tests` must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    database: str = "sqlite"
    equivalent: str | None = None


def read(path: Path) -> list[Mutant]:
    """The mutants of one list."""
    found, file = [], ""
    for block in path.read_text().split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        words = {line.split(" ")[0] for line in lines}
        if "file" in words:
            file = lines[0].removeprefix("file ")
        elif "mutant" in words:
            found.append(_mutant(file, lines))
    return found


def _mutant(file: str, lines: list[str]) -> Mutant:
    after = {
        word: [line[len(word) :] for line in lines if line.startswith(word)]
        for word in ("-", "+", "test ", "mutant ", "equivalent ")
    }
    mutant = Mutant(
        f"{file}: {after['mutant '][0]}",
        file,
        "\n".join(after["-"]),
        "\n".join(after["+"]),
        tuple(after["test "]),
        "postgres" if "postgres" in lines else "sqlite",
    )
    return replace(mutant, equivalent=after["equivalent "][0]) if after["equivalent "] else mutant


def everyone() -> Iterator[Mutant]:
    """All mutants of the code."""
    for path in LISTS:
        yield from read(path)


def keep(caught: Mapping[str, str]) -> None:
    """Put the test that caught a mutant first in its list (name -> test)."""
    for path in LISTS:
        blocks, file = [], ""
        for block in path.read_text().rstrip("\n").split("\n\n"):
            lines = block.splitlines()
            if lines[0].startswith("file "):
                file = lines[0].removeprefix("file ")
            by = caught.get(f"{file}: {lines[0].removeprefix('mutant ')}")
            if by is not None:
                others = [line for line in lines if line != f"test {by}"]
                at = next(n for n, line in enumerate(lines) if line.startswith("test "))
                lines = [*others[:at], f"test {by}", *others[at:]]
            blocks.append("\n".join(lines))
        path.write_text("\n\n".join(blocks) + "\n")
