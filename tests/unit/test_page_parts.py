"""The page's parts: every file is in one of them, and none needs what it has not loaded."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from satmachineadmin.page_parts import FRAME, PARTS, SCRIPTS, TEMPLATES, part_source, part_url

LATER = re.compile(r'<satm-later\s+name="([a-z-]+)"')
USED = re.compile(r"<satm-([a-z-]+)")
DEFINED = re.compile(r"^(?:const|class|(?:async )?function) (satm\w+|Satm\w+|SATM_\w+)", re.M)
NAMED = re.compile(r"\b(satm[A-Z]\w+|Satm\w+|SATM_\w+)\b")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
# Types for the checker; nothing of them runs.
TYPES = re.compile(r"^types(-[a-z]+)?$")


def closure(name: str) -> set[str]:
    """A part and all it needs, the frame among them."""
    return {FRAME, name}.union(*(closure(need) for need in PARTS[name].needs.split()))


def test_every_component_is_in_one_part() -> None:
    placed = Counter(one for part in PARTS.values() for one in part.components.split())
    assert set(placed.values()) == {1}
    assert set(placed) == {path.stem for path in (SCRIPTS / "components").glob("*.js")}
    assert set(placed) == {path.stem for path in TEMPLATES.glob("*.html")}


def test_every_script_and_text_is_in_one_part() -> None:
    scripts = Counter(one for part in PARTS.values() for one in part.scripts.split())
    texts = Counter(one for part in PARTS.values() for one in part.texts.split())
    assert set(scripts.values()) == set(texts.values()) == {1}
    there = {path.stem for path in SCRIPTS.glob("*.js")}
    assert set(scripts) == {name for name in there if not TYPES.match(name)}
    for language in ("en", "es"):
        written = {path.stem for path in (SCRIPTS / "i18n").glob(f"{language}*.js")}
        assert written == {language, *(f"{language}-{text}" for text in texts)}


@pytest.mark.parametrize("name", PARTS)
def test_what_a_part_uses_is_loaded_with_it(name: str) -> None:
    there = {one for part in closure(name) for one in PARTS[part].components.split()}
    for component in PARTS[name].components.split():
        markup = (TEMPLATES / f"{component}.html").read_text()
        assert set(USED.findall(markup)) <= there, component
        assert set(LATER.findall(markup)) <= {
            one for part in PARTS.values() for one in part.components.split()
        }, component


@pytest.mark.parametrize("name", PARTS)
def test_what_a_script_names_is_loaded_before_it(name: str) -> None:
    there = {one for part in closure(name) for one in DEFINED.findall(part_source(part))}
    assert set(NAMED.findall(COMMENT.sub("", part_source(name)))) <= there


def test_the_frame_names_the_other_parts_by_their_content() -> None:
    for name in PARTS:
        assert (part_url(name) in part_source(FRAME)) == (name != FRAME)
    assert len({part_url(name) for name in PARTS}) == len(PARTS)


def test_a_part_there_is_none_of() -> None:
    with pytest.raises(KeyError):
        part_source("nothing")
