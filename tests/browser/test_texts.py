"""The dictionaries: same keys, same parameters, and no text that the page asks for is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPTS = CHECKOUT / "static" / "js"
TEMPLATES = CHECKOUT / "templates"


def texts(language: str) -> dict[str, str]:
    """The dictionary and its parts (`en.js`, `en-setup.js`); a key stands in one of them."""
    found: dict[str, str] = {}
    for file in sorted((SCRIPTS / "i18n").glob(f"{language}*.js")):
        for key, text in re.findall(r"^  '([^']+)': '(.*)',?$", file.read_text(), re.MULTILINE):
            assert key not in found, f"{file.name} has '{key}' a second time"
            found[key] = text
    return found


def test_english_and_spanish_have_the_same_keys_and_parameters() -> None:
    english, spanish = texts("en"), texts("es")
    assert list(english) == list(spanish)
    for key, text in english.items():
        parameters = re.compile(r"\{\w+\}")
        assert set(parameters.findall(text)) == set(parameters.findall(spanish[key])), key


def test_every_text_that_is_asked_for_exists() -> None:
    english = texts("en")
    asked = re.compile(r"\b(?:t|told)\(\s*'([\w.]+)'\s*[,)]")
    for path in (*TEMPLATES.rglob("*.html"), *SCRIPTS.rglob("*.js")):
        for key in asked.findall(path.read_text()):
            assert key in english, f"{path.name} asks for '{key}'"


def test_every_state_and_reason_has_a_word() -> None:
    from satmachineadmin.domain.states import (
        CashOutState,
        CommissionState,
        HoldCode,
        ShareState,
    )

    english = texts("en")
    words = (SCRIPTS / "words.js").read_text()
    kinds = {"cashOut": CashOutState, "share": ShareState, "commission": CommissionState}
    for kind, states in kinds.items():
        for state in states:
            assert f"{kind}.{state.value}" in english
            assert re.search(rf"\b{state.value}: \{{icon", words), state
    for code in HoldCode:
        assert f"hold.{code.value}" in english


def test_health_is_said_by_code_in_both_languages() -> None:
    """Every code that the server can give, with the server's own sentence as the English one."""
    from satmachineadmin.services import health_said, health_source
    from satmachineadmin.services.gates import GATES

    expected: dict[str, str | None] = {}
    for code, (sentence, hint) in health_said.SAID.items():
        expected[f"healthSaid.{code}"] = sentence.replace("'", "’")
        if hint:
            expected[f"healthHint.{code}"] = hint.replace("'", "’")
    errors = {*health_source.source_codes(), *health_said.OTHER_CODES, health_said.OTHER}
    for kind, names in ((health_said.GATE, {*GATES, health_said.OTHER}), ("error", errors)):
        for name in names:
            expected |= {f"healthSaid.{kind}.{name}": None, f"healthHint.{kind}.{name}": None}
    for language in ("en", "es"):
        found = {key: text for key, text in texts(language).items() if key.startswith("health")}
        found = {key: text for key, text in found.items() if re.match("health(Said|Hint)", key)}
        assert set(found) == set(expected)
        for key, text in found.items():
            if expected[key] is None:
                assert ("{message}" in text) == key.startswith("healthSaid"), key
            elif language == "en":
                assert text == expected[key]
    for name in ("health_checks", "health_source"):
        source = (CHECKOUT / "services" / f"{name}.py").read_text()
        for code in re.findall(r'"((?:\w+\.)\w+|unreadable|no_connection)"', source):
            assert code in health_said.SAID, code
        assert "return Found(" not in source, "a sentence that no other language has"


def test_errors_are_said_by_code_in_both_languages() -> None:
    """Every code of errors.py; the English next step is the API's own, by which it is known."""
    from satmachineadmin.errors import SatMachineError

    def kinds(kind: type[SatMachineError]) -> Iterator[type[SatMachineError]]:
        yield kind
        for one in kind.__subclasses__():
            yield from kinds(one)

    ours = [one for one in kinds(SatMachineError) if "satmachineadmin" in one.__module__]
    said = {f"errorSaid.{one.code}" for one in ours}
    hints = {f"errorHint.{one.code}": one.default_hint for one in ours if one.default_hint}
    for language in ("en", "es"):
        found = {k: v for k, v in texts(language).items() if re.match("error(Said|Hint)[.]", k)}
        assert set(found) == said | set(hints)
        if language == "en":
            assert {key: found[key] for key in hints} == {
                key: hint.replace("'", "’") for key, hint in hints.items()
            }


def test_alerts_are_said_by_code_in_both_languages() -> None:
    """Every code, with the server's own sentence as the English one; kinds without a code pass on
    what something else said. The page looks for the code first, then for the kind.
    """
    from satmachineadmin.domain.alert_rules import TABLE
    from satmachineadmin.domain.alert_said import SAID, Words

    pattern = re.compile("alert(Said|Hint)[.]")
    for language in ("en", "es"):
        found = {key: text for key, text in texts(language).items() if pattern.match(key)}
        codes = {key.partition(".")[2] for key in found}
        assert len(found) == 2 * len(codes)
        for code in codes - set(SAID):
            assert "{message}" in found[f"alertSaid.{code}"], code
        for code, (sentence, hint) in SAID.items():
            if language == "en":
                words = found[f"alertSaid.{code}"], found[f"alertHint.{code}"]
                assert words == (sentence.replace("'", "’"), hint.replace("'", "’"))
        kinds = {rule.kind for rule in TABLE} | {"health"}
        assert kinds == {code.partition(".")[0] for code in codes}
    assert Words("It broke", "Look").stored is None


def test_nothing_of_the_server_becomes_markup() -> None:
    for path in (*TEMPLATES.rglob("*.html"), *SCRIPTS.rglob("*.js")):
        text = path.read_text()
        assert "v-html" not in text, path.name
        assert not re.search(r"\bhtml:\s*true", text), path.name
        assert "innerHTML" not in text, path.name


def test_every_icon_only_button_says_what_it_does() -> None:
    for path in TEMPLATES.rglob("*.html"):
        for button in re.findall(r"<q-btn\b.*?</q-btn\s*>", path.read_text(), re.DOTALL):
            opening = button.split(">")[0]
            if ":label=" not in button:
                assert ":aria-label=" in button, f"{path.name}: {opening}"
                assert "<q-tooltip" in button, f"{path.name}: {opening}"
