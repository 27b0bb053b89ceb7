"""Jobs of agents end by themselves, so long after somebody last said that their run is alive."""

from harness.substrates.kubernetes.api import ApiError
from harness.substrates.kubernetes.deadlines import Deadlines


class Moved:
    """What an API server was asked for."""

    def __init__(self):
        self.deadlines = []
        self.away = False

    def patch(self, path, body):
        if self.away:
            raise ApiError(0, "Unreachable", "no route")
        self.deadlines.append((path, body["spec"]["activeDeadlineSeconds"]))


def test_a_deadline_is_counted_from_now_and_moved_now_and_then():
    clock, api = [100.0], Moved()
    deadlines = Deadlines(lambda: clock[0])
    deadlines.begin("jobs/a")
    clock[0] = 104.0
    deadlines.begin("jobs/b")
    for _ in range(3):
        deadlines.prolong(api, 70.0)
    assert api.deadlines == [("jobs/a", 75), ("jobs/b", 71)]
    deadlines.end("jobs/a")
    clock[0] = 400.0
    api.away = True
    deadlines.prolong(api, 70.0)
    api.away, clock[0] = False, 416.0
    deadlines.prolong(api, 70.0)
    assert api.deadlines[2:] == [("jobs/b", 383)]
