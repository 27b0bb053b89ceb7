"""Each wrong file has its message beside it, word for word. `UPDATE_GOLDEN=1` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import InvalidFile
from harness.experiment import codes
from harness.experiment.source import load_experiment
from harness.faults import registry

HERE = Path(__file__).parent
FILES = sorted((HERE / "files").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_wrong_file_gets_its_message(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    with pytest.raises(InvalidFile) as caught:
        load_experiment(Path(file.name), {}, None, registry.find, registry.names)
    said = str(caught.value) + "\n"
    expected = file.with_suffix(".txt")
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")
    assert all(codes.find(problem.code) for problem in caught.value.problems)


def test_there_are_thirty_of_them() -> None:
    assert len(FILES) >= 30


def test_no_message_without_its_file() -> None:
    assert {f.stem for f in FILES} == {f.stem for f in (HERE / "files").glob("*.txt")}
