"""Taking back from a Toxiproxy with nothing but the receipt, as often as it is asked for.

What bears the mark is removed, and the proxy made as it was. One that hangs, as Toxiproxy's do on a
connection that takes nothing, is deleted and made anew, unless others have toxics on it.
"""

from __future__ import annotations

import json
import shlex

from harness.agent.effects import Snapshot, ToxiproxyEdge
from harness.substrates.attached.toxiproxy_api import (
    Server,
    ToxiproxyError,
    Unanswered,
    path_of,
)
from harness.substrates.attached.toxiproxy_hold import slug

NONE = "none"
OURS, OTHERS = "toxics of harness", "toxics of others"


def name_of(edge: ToxiproxyEdge, snapshot: Snapshot) -> str:
    """The proxy that was there, or the one that is made for the run."""
    there = snapshot.settings["proxy"]
    return f"{snapshot.mark}-{slug(edge.target)}" if there == NONE else there


def unmarked(server: Server, name: str, snapshot: Snapshot) -> bool:
    """Remove what bears the mark, and make the proxy as it was; whether there was anything."""
    note = f"{snapshot.mark}-anew"
    if server.proxy(note) is None:
        try:
            return _removed(server, name, snapshot)
        except Unanswered:
            if snapshot.settings.get(OTHERS) != NONE:  # or nobody has noted whether there are any
                raise ToxiproxyError(_stuck(server, name, snapshot)) from None
    _make_anew(server, name, snapshot, note)
    return True


def _stuck(server: Server, name: str, snapshot: Snapshot) -> str:
    was, one = snapshot.settings, f"{server.url}{path_of(name)}"
    made = json.dumps({"name": name, "listen": was["listen"], "upstream": was["upstream"]})
    return (
        f"the proxy {name} hangs on a connection that took nothing, which only deleting it ends, "
        f"and toxics of others would go with it: {was.get(OTHERS)}. By hand: "
        f"curl -X DELETE {one}; curl -d {shlex.quote(made)} {server.url}/proxies"
    )


def _make_anew(server: Server, name: str, snapshot: Snapshot, note: str) -> None:
    """`note` is a proxy, too: it tells whoever goes on when we die in the middle."""
    was = snapshot.settings
    if was["proxy"] != NONE:
        if server.proxy(note) is None:
            server.create(note, "127.0.0.1:0", was["upstream"], enabled=False)
        server.delete(name)
        server.create(name, was["listen"], was["upstream"], was["enabled"] == "true")
        server.delete(note)
    else:
        server.delete(name)


def _removed(server: Server, name: str, snapshot: Snapshot) -> bool:
    if snapshot.settings["proxy"] == NONE:
        found = server.proxy(name)
        server.delete(name)
        return found is not None
    ours = [t.name for t in server.toxics(name) if t.name.startswith(snapshot.mark)]
    for toxic in ours:
        server.remove(name, toxic)
    there = server.proxy(name)
    enabled = snapshot.settings["enabled"] == "true"
    if there is not None and there.enabled != enabled:
        server.enable(name, enabled)
        return True
    return bool(ours)
