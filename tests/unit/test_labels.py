"""Label selectors mean what they mean to kubectl."""

import pytest

from harness.experiment.labels import holds, parsed

WEB = {"app": "web", "tier": "front", "env": "prod"}


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("app=web", True),
        ("app==web,tier!=db", True),
        ("app=webs", False),
        ("tier!=front", False),
        ("owner!=nobody", True),  # as kubectl: what is not there is not that
        ("env in (test, prod)", True),
        ("env notin (test,prod)", False),
        ("missing notin (a)", True),
        ("app", True),
        ("!app", False),
        ("!legacy, app in (web)", True),
        ("example.com/team=payments", False),
    ],
)
def test_a_selector(selector, chosen):
    assert holds(parsed(selector), WEB) is chosen


@pytest.mark.parametrize("selector", ["", " ", "app=web=x", "app in web", "=web", "app,,tier"])
def test_what_is_no_selector(selector):
    with pytest.raises(ValueError, match="select"):
        parsed(selector)
