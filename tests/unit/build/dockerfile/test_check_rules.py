from __future__ import annotations

from havre.build.dockerfile.check_rules import RULES, finding
from havre.build.dockerfile.errors import Location


def test_a_finding_says_it_in_one_line() -> None:
    found = finding("FromAsCasing", Location(2, 3), "FROM", "as")
    assert found.short == "FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 2)"
    assert found.description == "The 'as' keyword should match the case of the 'from' keyword"


def test_values_are_not_read_again() -> None:
    assert finding("StageNameCasing", Location(1, 1), "{0}{x}").message == "Stage name '{0}{x}' should be lowercase"


def test_only_one_rule_is_experimental() -> None:
    assert [name for name, rule in RULES.items() if rule.experimental] == ["InvalidDefinitionDescription"]
    assert len(RULES) == 22
