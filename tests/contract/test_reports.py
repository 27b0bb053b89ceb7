"""Every renderer over a record of every kind: well formed, escaped, complete and truthful."""

import dataclasses
import io
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import junitparser
import pytest
from sample_records import DIRTY, FAIL, HOSTILE, INVALID, PASS, SAMPLES, effect, objective

from harness.report import registry
from harness.report.json import as_data
from harness.report.record import Series

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/report.v1.json").read_text())

every_record = pytest.mark.parametrize("record", SAMPLES.values(), ids=SAMPLES)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    for name in ("FORCE_COLOR", "NO_COLOR", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)


def rendered(name, record):
    out = io.StringIO()
    registry.find(name).render(record, out)
    return out.getvalue()


def test_registry_names_every_renderer_of_the_package():
    package = Path(registry.__file__).parent
    renderers = {f.stem for f in package.glob("*.py") if "\ndef render(record" in f.read_text()}
    assert set(registry.NAMES) == renderers
    assert all(registry.find(name).FILE for name in registry.NAMES)


@pytest.mark.parametrize("name", registry.NAMES)
@every_record
def test_renderers_are_pure_and_name_the_verdict(name, record):
    first = rendered(name, record)
    assert first == rendered(name, record)
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", first), "no control characters"
    machines = name in ("json", "junit")  # they have the word itself, people its meaning
    word = "explored" if record.explored and not machines else record.verdict
    word = "left behind" if word == "dirty" and not machines else word
    assert word in first.lower()


# ---------------------------------------------------------------- console


@every_record
def test_console_keeps_to_80_columns_without_trailing_blanks(record):
    commands = {f"  {command}" for command in record.by_hand}
    for line in rendered("console", record).splitlines():
        if not line.startswith(("report ", "again ")) and line not in commands:
            assert len(line) <= 80, line
        assert line == line.rstrip()


def test_console_has_no_colour_unless_forced(monkeypatch):
    assert "\x1b" not in rendered("console", PASS)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in rendered("console", PASS)


def test_console_tells_what_decides():
    text = rendered("console", SAMPLES["inconclusive"])
    assert "28,364 more requests" in text
    assert "1,591 good of 1,591" in text
    assert "baseline, 0.0–8.0 s" in text
    assert "in general, at 95 % confidence" in text
    assert "this run" in text


def test_console_never_prints_infinity():
    text = rendered("console", FAIL)
    assert "1.87 % failed; P99 of successes 84 ms." in text
    assert not re.search(r"\b(inf|nan|None)\b", text)


def test_console_ends_with_the_commands_when_something_is_left_behind():
    lines = rendered("console", DIRTY).splitlines()
    assert lines[-1].strip() == "ip link set v-api-0 master br0"
    assert lines[-2].strip() == "harness recover reports/checkout-survives-slow-database-7f3a"


def test_console_says_why_a_run_is_invalid_before_any_objective():
    text = rendered("console", INVALID)
    assert text.index("was not confirmed") < text.index("Objectives (this run decides none")


# ---------------------------------------------------------------- JSON


@every_record
def test_json_keeps_the_promise_of_its_schema(record):
    text = rendered("json", record)
    data = json.loads(text, parse_constant=pytest.fail)
    assert not list(problems(SCHEMA, data, "report"))


def test_json_has_null_for_what_is_beyond_any_number():
    p99 = as_data(FAIL)["objectives"][2]
    assert p99["value"] is None


def test_every_field_of_the_schema_is_described():
    for name, part in {"report": SCHEMA, **SCHEMA["$defs"]}.items():
        for field, rule in part["properties"].items():
            assert rule.get("description") or rule.get("$ref"), f"{name}.{field}"


def problems(rule, value, place):
    """What of `value` the schema does not allow, or does not know: the part of 2020-12 in use."""
    if "$ref" in rule:
        yield from problems(SCHEMA["$defs"][rule["$ref"].rsplit("/", 1)[1]], value, place)
    if "anyOf" in rule and all(list(problems(r, value, place)) for r in rule["anyOf"]):
        yield f"{place}: none of anyOf"
    if "const" in rule and value != rule["const"]:
        yield f"{place}: {value!r}"
    if "enum" in rule and value not in rule["enum"]:
        yield f"{place}: {value!r}"
    types = rule.get("type", [])
    if types and not any(is_a(value, t) for t in ([types] if isinstance(types, str) else types)):
        yield f"{place}: {value!r} is no {types}"
    if isinstance(value, (int, float)) and value < rule.get("minimum", -math.inf):
        yield f"{place}: {value!r} is too small"
    if isinstance(value, list) and "items" in rule:
        for n, item in enumerate(value):
            yield from problems(rule["items"], item, f"{place}[{n}]")
    if isinstance(value, dict) and "properties" in rule:
        yield from (f"{place}: no {k}" for k in rule["required"] if k not in value)
        yield from (f"{place}: {k} is undocumented" for k in value if k not in rule["properties"])
        for key in value.keys() & rule["properties"].keys():
            yield from problems(rule["properties"][key], value[key], f"{place}.{key}")
    if isinstance(value, dict) and "additionalProperties" in rule:
        for key, item in value.items():
            yield from problems(rule["additionalProperties"], item, f"{place}.{key}")


def is_a(value, kind):
    if kind == "null":
        return value is None
    if isinstance(value, bool):
        return kind == "boolean"
    kinds = {"string": str, "integer": int, "number": (int, float), "array": list, "object": dict}
    return isinstance(value, kinds.get(kind, ()))


# ---------------------------------------------------------------- JUnit


@every_record
def test_junit_is_read_by_a_junit_reader(record, tmp_path):
    path = tmp_path / "report.xml"
    path.write_text(rendered("junit", record), encoding="utf-8")
    [suite] = junitparser.JUnitXml.fromfile(str(path))
    cases = list(suite)
    assert suite.tests == len(cases) > 0
    assert suite.skipped == 0
    results = [type(r).__name__ for case in cases for r in case.result]
    assert suite.failures == results.count("Failure")
    assert suite.errors == results.count("Error")
    assert (record.verdict == "pass") == (not results), "anything but a pass shows"


def test_junit_says_failure_for_fail_and_error_for_what_is_not_known():
    def marks(name):
        root = ET.fromstring(rendered("junit", SAMPLES[name]))
        return [e.tag for e in root.iter() if e.tag in ("failure", "error", "skipped")]

    assert set(marks("fail")) == {"failure"}
    assert len(marks("fail")) == 3, "a warning is no failure"
    assert marks("inconclusive") == ["error"]
    assert set(marks("invalid")) == {"error"}
    assert marks("dirty") == ["error"]


def test_junit_repeats_the_facts_where_every_reader_looks():
    root = ET.fromstring(rendered("junit", PASS))
    text = root.find("testsuite/system-out").text
    assert "seed 4242" in text
    assert "asked 200 ms, seen 203 ms" in text


# ---------------------------------------------------------------- HTML

VOID = {"meta", "input", "path", "br", "link"}


class Page(HTMLParser):
    """Fails on tags that do not match; keeps the text, ids and everything that could load."""

    def __init__(self, source):
        super().__init__()
        self.open, self.scripts, self.loads, self.said = [], 0, [], []
        self.feed(source)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.scripts += tag == "script"
        self.loads += [given[k] for k in ("src", "href", "xlink:href", "data") if k in given]
        assert not any(key.startswith("on") for key in given), given
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        assert tag in VOID
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.said.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.said).split())


@every_record
def test_html_is_one_balanced_page_that_loads_nothing(record):
    source = rendered("html", record)
    page = Page(source)
    assert page.loads == []
    assert "http://" not in source
    assert "https://" not in source
    assert not re.search(r"url\(|@import", source)
    assert page.scripts == (2 if record.series else 0), "a user's text made no element"
    assert str(record.run.seed) in page.text


def test_html_of_a_run_that_ended_before_its_load_has_charts_all_the_same():
    source = rendered("html", dataclasses.replace(FAIL, series=None))
    assert '<figure class="usage">' in source
    assert 'class="shade"' not in source


def test_html_shows_every_number_as_text_too():
    text = Page(rendered("html", FAIL)).text
    for expected in ("3 of 5 objectives failed.", "asked", "203 ms", "during slow-db", "timeout"):
        assert expected in text
    assert not re.search(r"\b(inf|nan|None)\b", text)


def test_html_draws_load_latency_errors_and_the_fault_across_them():
    source = rendered("html", FAIL)
    for name in ("asked", "reached", "p99", "p50", "limit", "shade", "error error-0"):
        assert f'class="{name}"' in source
    assert 'class="recovered"' in rendered("html", PASS)


def test_html_data_cannot_leave_its_script():
    source = rendered("html", HOSTILE)
    data = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', source, re.DOTALL)
    assert json.loads(data[1])["faults"][0]["name"].startswith("<script>")


def test_html_of_an_hour_stays_small():
    one = 3600 * (1.0,)
    errors = tuple((name, 3600 * (3,)) for name in ("timeout", "refused", "reset"))
    hour = Series(0.0, 1.0, one, one, one, one, errors)
    assert len(rendered("html", dataclasses.replace(PASS, series=hour)).encode()) < 1_000_000


def test_html_of_empty_and_endless_measurements():
    nothing = Series(0.0, 1.0, (0.0, None), (None, None), (None, None), (math.inf, None))
    page = Page(rendered("html", dataclasses.replace(PASS, series=nothing)))
    assert "No request failed." in page.text


# ---------------------------------------------------------------- Markdown and GitHub


def test_markdown_escapes_what_would_be_markup():
    text = rendered("markdown", HOSTILE)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in table if "objective" in line}) == 1
    prose = re.sub(r"`[^`\n]*`", "", text.replace("\\`", ""))
    assert not re.search(r"(?<!\\)<script", prose)


def test_github_annotates_the_line_of_each_objective_that_did_not_hold():
    lines = rendered("github", FAIL).splitlines()
    assert len(lines) == 4
    assert lines[0].startswith(f"::error file={PASS.run.experiment},line=18,title=FAIL%3A avail")
    assert lines[0].endswith("::57 of 3,043 requests failed; 15 were allowed")
    assert lines[3].startswith("::warning "), "severity: warn"


def test_github_lets_no_text_become_a_command():
    lines = rendered("github", INVALID).splitlines() + rendered("github", HOSTILE).splitlines()
    assert all(re.match(r"::(error|warning|notice) file=[^:]*::", line) for line in lines)


def test_github_appends_a_summary(monkeypatch, tmp_path):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    rendered("github", FAIL)
    assert summary.read_text().startswith("before\n## ✗ FAIL")


# ---------------------------------------------------------------- beyond the objectives


@pytest.mark.parametrize("name", ["console", "html", "markdown"])
def test_findings_are_told_where_people_look(name):
    text = " ".join(rendered(name, FAIL).split())
    assert "Did not recover after the fault was removed" in text
    assert "First bad request 12 ms after the inject" in text


def test_html_has_names_tags_amplification_and_charts_of_resources():
    source = rendered("html", FAIL)
    text = Page(source).text
    for expected in ("tag money", "19.4/s", "×3.00", "api memory", "api CPU"):
        assert expected in text, expected
    assert source.count('class="use use-') == 3


# ---------------------------------------------------------------- what nobody may claim


@pytest.mark.parametrize("name", ["console", "html", "markdown", "junit"])
def test_an_effect_that_nobody_met_says_so(name):
    record = dataclasses.replace(PASS, effects=(SAMPLES["invalid"].effects[1],))
    assert "none of the system" in rendered(name, record)


@pytest.mark.parametrize("name", ["console", "html", "markdown", "junit"])
def test_what_could_not_be_seen_is_not_called_seen(name):
    assert "cannot be seen here" in rendered(name, PASS)


def test_shares_near_one_are_never_rounded_up():
    near = objective(value=0.999996, low=0.999996, high=0.999999, proves="")
    text = rendered("console", dataclasses.replace(PASS, objectives=(near,), effects=(effect(),)))
    assert "99.9996 %" in text
    assert "100 %" not in text.split("Faults")[0]
