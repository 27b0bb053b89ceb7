"""Which rules of an Ingress lead to a Service, and how one calls them."""

import pytest

from harness.substrates.kubernetes.ingresses import doors_to
from harness.substrates.kubernetes.objects import ServicePort

PORT = ServicePort(80, "8080", 0, "http")


def rule(host="shop.example", path="/", kind="Prefix", name="web", **port):
    backend = {"service": {"name": name, "port": port or {"number": 80}}}
    return {"host": host, "http": {"paths": [{"path": path, "pathType": kind, "backend": backend}]}}


def ingress(*rules, address=("ip", "192.0.2.9"), **spec):
    return {
        "metadata": {"name": "shop", "annotations": {"kubernetes.io/ingress.class": "old"}},
        "spec": {"rules": rules, **spec},
        "status": {"loadBalancer": {"ingress": [dict([address])] if address else []}},
    }


def doors(*rules, **more):
    return [(d.host, d.path) for d in doors_to("web", PORT, ingress(*rules, **more))]


@pytest.mark.parametrize(
    ("found", "leads"),
    [
        (rule(), True),
        (rule(name="api"), False),
        (rule(number=81), False),
        (rule(name="web", port={}), False),
        (rule(kind="Exact", path="/pay"), False),
        (rule(kind="ImplementationSpecific", path="/shop(/|$)(.*)"), False),
        (rule(kind="ImplementationSpecific", path="/shop"), True),
    ],
)
def test_a_rule_leads_by_its_services_name_and_port_below_a_plain_path(found, leads):
    assert bool(doors(found)) is leads


def test_a_port_may_be_meant_by_name():
    there = rule()
    there["http"]["paths"][0]["backend"]["service"]["port"] = {"name": "http"}
    assert doors(there) == [("shop.example", "/")]


def test_the_widest_path_comes_first_and_the_default_leads_from_anywhere():
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    found = doors(rule(path="/deep/er"), rule(path="/deep"), defaultBackend=backend)
    assert found == [("", ""), ("shop.example", "/deep"), ("shop.example", "/deep/er")]


def test_without_an_address_no_controller_has_taken_it():
    assert doors(rule(), address=None) == []
    assert doors(rule(), address=("hostname", "lb.example")) == [("shop.example", "/")]


def test_its_class_stands_in_the_spec_or_in_an_annotation():
    (old,) = doors_to("web", PORT, ingress(rule()))
    (new,) = doors_to("web", PORT, ingress(rule(), ingressClassName="nginx"))
    assert (old.kind, new.kind) == ("old", "nginx")


def test_a_star_stands_for_one_label():
    (door,) = doors_to("web", PORT, ingress(rule(host="*.example")))
    assert not door.plain
    assert door.answers("shop.example")
    assert not door.answers("a.shop.example")


def test_certificates_are_for_the_hosts_that_they_name_or_for_all():
    named = [{"hosts": ["shop.example"]}]
    for tls, secure in ((named, True), ([{}], True), ([{"hosts": ["x.example"]}], False), ([], 0)):
        (door,) = doors_to("web", PORT, ingress(rule(), tls=tls))
        assert door.secure == bool(secure), tls
