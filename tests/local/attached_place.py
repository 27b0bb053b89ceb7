"""A system that runs already: one server on this machine, for `harness` to attach to."""

import subprocess
import sys

import psutil
from fire import Place

SYSTEM = """
apiVersion: harness/v1
kind: System
metadata: {{name: here}}
spec:
  services:
    api: {attach}
"""
PAUSE = "{id: f, at: 1s, for: 60s, fault: process.pause, target: api}"


class Here(Place):
    def __post_init__(self):
        super().__post_init__()
        server = self.write("here.py", (self.path / "server.py").read_text().replace(
            'ThreadingHTTPServer(("", int(sys.argv[1])), Handler).serve_forever()',
            'port = int(sys.argv[1]) if sys.argv[1:] else 0\n'
            's = ThreadingHTTPServer(("127.0.0.1", port), Handler)\n'
            "print(s.server_port, flush=True); s.serve_forever()"))  # fmt: skip
        argv = [sys.executable, "-P", str(server)]
        self.server = subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True)
        self.port = int(self.server.stdout.readline())
        self.target = psutil.Process(self.server.pid)
        self.attach(f"attach: {{port: {self.port}}}")

    def attach(self, how):
        text = f"{{{how}, port: {self.port}}}" if "pid" in how else f"{{{how}}}"
        self.write("system.yaml", SYSTEM.format(attach=text))

    def run(self, timeline, **fields):
        path = self.experiment(timeline, **fields)
        path.write_text(path.read_text().replace("entry: front", "entry: api"))
        return str(path)

    def close(self):
        self.server.kill()
        self.server.wait()
        self.server.stdout.close()
