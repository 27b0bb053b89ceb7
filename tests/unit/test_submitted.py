"""Files to a run in the cluster and back: whole, or refused."""

import hashlib
import io
import json
import tarfile

import pytest

from harness.errors import InvalidRun, UsageError
from harness.substrates.kubernetes.submitted import job, packed, unpacked


def sent(files, sums=None):
    """As the pod sends them: the checksums last."""
    sums = sums or {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in [*files.items(), ("SUMS", json.dumps(sums).encode())]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def test_a_run_directory_comes_back(tmp_path):
    files = {"./run-1/plan.json": b"{}", "./run-1/services/a.log": b"x"}
    assert unpacked(sent(files), tmp_path) == (tmp_path / "run-1",)
    assert (tmp_path / "run-1/services/a.log").read_bytes() == b"x"


def test_what_was_cut_is_refused(tmp_path):
    data = sent({"./run-1/recording.0.bin": bytes(4096)})
    for length in (0, 700, 3000, 4608):
        with pytest.raises(InvalidRun, match="did not come whole"):
            unpacked(data[:length], tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_differs_is_refused(tmp_path):
    with pytest.raises(InvalidRun, match=r"plan\.json differs"):
        unpacked(sent({"./run-1/plan.json": b"{}"}, {"./run-1/plan.json": "0" * 64}), tmp_path)


def test_nothing_is_written_outside(tmp_path):
    with pytest.raises(UsageError, match="outside"):
        unpacked(sent({"../../evil": b"x"}), tmp_path / "reports")


def test_files_are_packed_by_their_relative_path():
    with tarfile.open(fileobj=io.BytesIO(packed({"b/x.py": b"1", "a.yaml": b"2"}))) as tar:
        assert tar.getnames() == ["a.yaml", "b/x.py"]


def test_the_job_is_restricted_and_ends():
    spec = job("run-1", ("a.yaml",), "image", 60)["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert spec["activeDeadlineSeconds"] > 60
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
