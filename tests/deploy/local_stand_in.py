"""Runs `python -m deploy.local up` with stand-ins for Myriad's own processes: for tests of the supervisor.

The stand-ins are the lines below; a file `web.py`, `predict.py`, `dispatcher.py` or `worker.py` in $STAND_IN replaces
one, `prepare.py` is a preparing command. Arguments are those of `up`.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from deploy.local import __main__ as command
from deploy.local import services as real
from deploy.local import up as stack
from deploy.local.process import Command

WEB = """
import http.server, json, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        parts = dict.fromkeys(("database", "broker", "storage", "predictions", "dispatcher"), "ok")
        body = json.dumps(dict(parts, workers=1)).encode()
        self.send_response(200); self.end_headers(); self.wfile.write(body)
    def log_message(self, *args): pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
OTHER = """
import signal, sys, time
def stop(*_):
    print("drained", flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, stop)
print("at work", flush=True)
while True: time.sleep(0.1)
"""


def services(env: Mapping[str, str], *, port: int) -> list[real.Service]:
    scripts = {"web": WEB, "predict": OTHER, "dispatcher": OTHER, "worker": OTHER}
    return [
        replace(service, command=_python(service.name, scripts[service.name], [str(port)], service.command))
        for service in real.services(env, port=port)
    ]


def preparations(env: Mapping[str, str]) -> dict[str, Command]:
    return {"prepare": _python("prepare", "print('prepared')", [], Command([], env, real.ROOT))}


def _python(name: str, script: str, arguments: list[str], like: Command) -> Command:
    own = Path(os.environ.get("STAND_IN", "/nowhere")) / f"{name}.py"
    code = own.read_text(encoding="utf-8") if own.exists() else script
    return replace(like, argv=[sys.executable, "-c", code, *arguments])


if __name__ == "__main__":
    vars(stack).update(services=services, preparations=preparations)
    sys.exit(command.main(["up", *sys.argv[1:]]))
