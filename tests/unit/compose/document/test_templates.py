"""Variables in values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.compose.document.templates import TemplateError, parse, shown, substitute, variables

VALUES = {"A": "a", "EMPTY": "", "LONG_name1": "x"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("$A", "a"),
        ("${A}b$A", "aba"),
        ("$LONG_name1.y", "x.y"),
        ("$$A $${A}", "$A ${A}"),
        ("${A:-d}${A-d}", "aa"),
        ("${EMPTY:-d}${EMPTY-d}", "d"),
        ("${U:-d}${U-d}", "dd"),
        ("${A:+r}${EMPTY:+r}${U:+r}", "r"),
        ("${A+r}${EMPTY+r}${U+r}", "rr"),
        ("${A:?m}${A?m}${EMPTY?m}", "aa"),
        ("${U:-${A:-x}}", "a"),
        ("${U:-${V:-${W:-deep}}}", "deep"),
        ("${U:-a:b/c?d}", "a:b/c?d"),
        ("${U:-$$5}", "$5"),
        ("$U", ""),
    ],
)
def test_values(text: str, value: str) -> None:
    assert substitute(parse(text), VALUES, set()) == value


@pytest.mark.parametrize("text", ["$", "$ a", "${", "${A", "${A:-b", "${1}", "$(date)", "${A!x}", "${}"])
def test_no_templates(text: str) -> None:
    with pytest.raises(TemplateError, match="invalid interpolation format"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [("${U:?give ${A}}", "required variable U is missing a value: give a"), ("${EMPTY:?}", "required variable EMPTY")],
)
def test_required(text: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        substitute(parse(text), VALUES)


def test_names_without_a_value_are_told() -> None:
    missing: set[str] = set()
    substitute(parse("$U ${V} ${W:-d} ${X+y} $A"), VALUES, missing)
    assert missing == {"U", "V"}


def test_variables_are_found_in_defaults() -> None:
    assert [one.name for one in variables(parse("$A ${B:-${C}}"))] == ["A", "B", "C"]


def test_deep_nests_and_long_results_are_refused() -> None:
    with pytest.raises(TemplateError, match="too deep"):
        parse("${A:-" * 100 + "}" * 100)
    with pytest.raises(TemplateError, match="mebibyte"):
        substitute(parse("$A" * 1100), {"A": "x" * 1000})


@given(st.text(alphabet="a$ {}:-?+AB", max_size=30))
def test_what_is_shown_means_the_same(text: str) -> None:
    try:
        template = parse(text)
        value = substitute(template, {"A": "1"})
    except TemplateError:
        return
    assert substitute(parse(shown(template)), {"A": "1"}) == value
