"""A pod's processes are told by their cgroup, in the layouts of all runtimes."""

import pytest

from harness.agent.effects import Link, Processes
from harness.agent.outside import cgroups_in
from harness.agent.protocol import TargetGone
from harness.mechanisms.pods import container_in, located

UID = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
ID = "4f" * 32
LAYOUTS = {
    "containerd, cgroupfs, v1": f"4:memory:/kubepods/burstable/pod{UID}/{ID}\n1:name=systemd:/x",
    "containerd, systemd, v2": "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"
    f"{UID.replace('-', '_')}.slice/cri-containerd-{ID}.scope\n",
    "CRI-O, guaranteed": f"0::/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice/"
    f"crio-{ID}.scope\n",
    "Docker, a nested node": f"0::/docker/abc/kubelet/kubepods/besteffort/pod{UID}/{ID}\n",
    "seen from another cgroup namespace": f"0::/../../pod{UID}/{ID}\n",
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_layouts(layout):
    assert ID in container_in(layout, UID)
    assert container_in(layout, UID[:-1] + "8") == ""


def test_a_pod_that_is_not_here_is_gone():
    with pytest.raises(TargetGone, match="pod/shop/web-0 is not on this node"):
        located(Processes("pod/shop/web-0", netns=f"pod:{UID}"))


def test_what_is_no_pod_stays_as_it_is():
    link = Link("api", "/run/netns/api", "p1", "198.18.0.2")
    assert located(link) is link


def test_cgroups_as_seen_from_the_root():
    text = "3:cpu,cpuacct:/kubepods/podX/y\n1:name=systemd:/init.scope\n0::/../../system.slice\n"
    assert cgroups_in(text) == {
        ("cpu", "cpuacct"): "/kubepods/podX/y",
        ("name=systemd",): "/init.scope",
        (): "/system.slice",
    }
