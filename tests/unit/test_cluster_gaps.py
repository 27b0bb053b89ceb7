"""When nobody saw the cluster."""

from harness.record.cluster import Sighting, gaps


def watch(at, name, state):
    return Sighting(at, "watch", name, state, "")


SEEN = (
    watch(1, "pods", "lost"),
    watch(2, "nodes", "lost"),
    watch(3, "nodes", "back"),
    watch(4, "pods", "back"),
    Sighting(5, "pod", "pods", "lost", "a pod of that name"),
    watch(6, "pods", "lost"),
    watch(7, "events", "never"),
)


def test_gaps_are_told_for_each_kind_by_itself_the_last_without_an_end():
    assert tuple(gaps(SEEN, "pods")) == ((1, 4), (6, 0))
    assert tuple(gaps(SEEN, "nodes")) == ((2, 3),)


def test_what_may_never_be_seen_is_no_gap():
    assert tuple(gaps(SEEN, "events")) == ()
