"""`--output`: what is accepted, where it goes, and that it is written whole."""

import json

import pytest
from sample_records import PASS

from harness.cli.output import Output, parse_outputs, write_outputs
from harness.errors import UsageError


def test_console_is_what_nobody_asked_for():
    assert parse_outputs(()) == (Output("console"),)


def test_formats_with_and_without_a_path(tmp_path):
    outputs = parse_outputs(("console", "html=-x.html", "github=-", f"json={tmp_path}/r.json"))
    assert [(o.format, str(o.path or "")) for o in outputs] == [
        ("console", ""), ("html", "-x.html"), ("github", ""), ("json", f"{tmp_path}/r.json"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("htlm",), "did you mean html?"),
        (("pdf",), "one of: console"),
        (("json=",), "the path is empty"),
        (("json=no/such/place.json",), "no directory no/such"),
        (("json", "console"), "--output json=report.json"),
    ],
)
def test_refusals_say_what_to_do(given, says):
    with pytest.raises(UsageError) as refused:
        parse_outputs(given)
    assert says in f"{refused.value} {refused.value.hint}"


def test_a_run_leaves_three_reports_and_writes_what_was_asked_for(tmp_path, capsys):
    own = tmp_path / "own.md"
    write_outputs(PASS, tmp_path, ("json", f"markdown={own}"))
    assert json.loads(capsys.readouterr().out)["verdict"] == "pass"
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"report.json", "report.xml", "report.html", "own.md"}


def test_a_report_that_cannot_be_written_is_a_usage_error_and_leaves_no_half(tmp_path):
    target = tmp_path / "report.md"
    target.mkdir()
    with pytest.raises(UsageError, match="cannot be written"):
        write_outputs(PASS, tmp_path, (f"markdown={target}",))
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".new")]
