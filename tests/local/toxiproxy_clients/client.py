"""`toxiproxy-python`, all that it can, on the server at port argv[1]; prints what it saw."""

import sys

from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

server = Toxiproxy()
server.update_api_consumer("127.0.0.1", int(sys.argv[1]))
print(server.running(), server.version(), server.proxies())
proxy = server.create(name="one", upstream="127.0.0.1:9")
print(proxy.name, proxy.upstream, proxy.enabled, proxy.listen)
proxy.add_toxic(type="latency", attributes={"latency": 5})
proxy.add_toxic(type="slicer", stream="upstream", name="cut", toxicity=0.5)
for name, toxic in sorted(proxy.toxics().items()):
    print(name, toxic.type, toxic.stream, toxic.toxicity, sorted(toxic.attributes.items()))
for wrong in ({"type": "latency"}, {"type": "nonsense"}, {"type": "noop", "stream": "x"}):
    try:
        proxy.add_toxic(**wrong)
    except (ProxyExists, InvalidToxic) as error:
        print(type(error).__name__, error)
print(proxy.get_toxic("cut").name, proxy.get_toxic("none"))
try:
    proxy.destroy_toxic("none")
except NotFound as error:
    print(error)
print(proxy.destroy_toxic("cut"), sorted(proxy.toxics()))
with proxy.down():
    print(server.get_proxy("one").enabled)
print(server.get_proxy("one").enabled, server.reset(), proxy.toxics())
try:
    server.create(name="one", upstream="x")
except ProxyExists as error:
    print(error)
made = server.populate([{"name": "two", "upstream": "127.0.0.1:9", "listen": "127.0.0.1:0"}])
print([one.name for one in made], sorted(server.proxies()), server.destroy(made[0]))
server.destroy_all()
print(server.proxies())
