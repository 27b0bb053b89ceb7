"""The controllers' view of a recovery, counted from where the users' is."""

import pytest

from harness.clock import SECOND, Epoch
from harness.measure.controllers import controllers_view, shortages
from harness.measure.passages import Passage
from harness.measure.recovery import Recovery
from harness.record.cluster import Sighting
from harness.substrates.kubernetes.sightings import pod_state, workload_state

EPOCH = Epoch(0, 0)
KILLED = Passage("killed", True, 4.0, 4.0, 4.1, None, 4.2)
USERS = Recovery("killed", False, "recovered", 4.0, 20.0, 6.5)


def seen(at_s, state, name="deployment/api", service="api"):
    return Sighting(round(at_s * SECOND), "workload", name, state, "", service)


@pytest.mark.parametrize(
    ("sightings", "at_s", "says"),
    [
        ([seen(-1, "whole")], None, "whole throughout"),
        ([seen(-1, "whole"), seen(4.2, "short"), seen(9.2, "whole")], 9.2, "after 5.2 s"),
        ([seen(4.2, "short")], None, "not whole again"),
        ([seen(4.2, "short"), seen(21, "whole")], None, "not whole again"),
        ([seen(4.2, "short"), seen(5, "whole"), seen(6, "short"), seen(7, "whole")], 7, "3.0 s"),
        ([seen(1, "short"), seen(2, "whole")], None, "whole throughout"),
        ([seen(4.2, "short", service=""), seen(9, "whole", service="")], None, "throughout"),
    ],
)
def test_the_controllers_view(sightings, at_s, says):
    view = controllers_view(shortages(sightings, EPOCH), USERS, KILLED)
    assert view.at_s == at_s
    assert says in view.says


def test_a_deployment_in_the_middle_of_a_rollout_is_short():
    status = {"readyReplicas": 3, "updatedReplicas": 1, "observedGeneration": 2}
    meta = {"name": "api", "generation": 2}
    item = {"metadata": meta, "spec": {"replicas": 2}, "status": status}
    assert workload_state(item) == ("short", "3 of 2 ready, 1 of the newest template")
    item["status"] |= {"readyReplicas": 2, "updatedReplicas": 2}
    assert workload_state(item)[0] == "whole"
    item["metadata"]["generation"] = 3  # its controller has not looked yet
    assert workload_state(item)[0] == "short"


def test_a_pod_on_its_way_out_is_leaving_though_it_is_ready():
    conditions = [{"type": "Ready", "status": "True"}]
    item = {"metadata": {"name": "a", "namespace": "b", "uid": "c"}, "spec": {"nodeName": "n1"},
            "status": {"phase": "Running", "conditions": conditions}}  # fmt: skip
    assert pod_state(item) == ("ready", "ready on n1")
    item["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert pod_state(item)[0] == "leaving"
