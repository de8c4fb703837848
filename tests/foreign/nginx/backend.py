"""Leads behind a proxy, by Python's own `http.server`: it trusts the proxy, and knows neither keys nor scopes.

The proxy says whose request it is in `X-Organisation`. A request without that comes from inside and sees everything.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any, ClassVar
from urllib.parse import unquote

DEFECT = os.environ.get("DEFECT", "")
BASE = "/api/v1"
METHODS = {"leads": "GET, POST", "lead": "GET, PATCH, DELETE", "analytics": "GET"}


class Handler(BaseHTTPRequestHandler):
    """Answer one request."""

    protocol_version = "HTTP/1.1"
    leads: ClassVar[dict[str, dict[str, str]]] = {}
    lock = Lock()

    def do_GET(self) -> None:
        self.route("GET")

    def do_HEAD(self) -> None:
        self.route("GET")

    def do_POST(self) -> None:
        # Some clients cannot send every method.
        override = self.headers.get("X-HTTP-Method-Override") if DEFECT == "method-override" else None
        self.route(override or "POST")

    def do_PATCH(self) -> None:
        self.route("PATCH")

    def do_DELETE(self) -> None:
        self.route("DELETE")

    def route(self, method: str) -> None:
        """Find what the path names; methods that nobody wrote a `do_` for are answered 501 by http.server."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        pieces = [unquote(piece) for piece in path.removeprefix(BASE).split("/")[1:]] if path.startswith(BASE) else []
        match pieces:
            case ["leads"]:
                self.serve("leads", method, body)
            case ["leads", name] if name:
                self.serve("lead", method, body, name)
            case ["analytics"]:
                self.serve("analytics", method, body)
            case _:
                self.answer(404, {"error": "not_found", "message": "There is nothing here."})

    def serve(self, what: str, method: str, body: bytes, name: str = "") -> None:
        """Do what is asked, on what is the organisation's."""
        if method not in METHODS[what].split(", "):
            self.answer(405, {"error": "method_not_allowed", "message": "Not by this method."}, Allow=METHODS[what])
            return
        with self.lock:
            ours = {key: lead for key, lead in self.leads.items() if self.may_see(lead)}
            lead = ours.get(name)
            if what == "analytics":
                self.answer(200, {"leads": len(ours)})
            elif what == "leads" and method == "GET":
                self.answer(200, {"data": [shown(each) for each in ours.values()]})
            elif what == "lead" and lead is None:
                self.answer(404, {"error": "not_found", "message": "There is no such lead."})
            elif method == "DELETE":
                del self.leads[name]
                self.answer(204, None)
            elif method == "GET" and lead is not None:
                self.answer(200, shown(lead))
            else:
                self.keep(lead, body)

    def keep(self, lead: dict[str, str] | None, body: bytes) -> None:
        """Change a lead, or make one."""
        fields = read(body)
        if fields is None or (lead is None and "name" not in fields):
            self.answer(400, {"error": "bad_request", "message": "A lead has a name and may have an email."})
        elif lead is not None:
            lead |= fields
            self.answer(200, shown(lead))
        else:
            made = {"id": uuid.uuid4().hex, **fields, "organisation": self.headers.get("X-Organisation", "")}
            self.leads[made["id"]] = made
            self.answer(201, shown(made))

    def may_see(self, lead: dict[str, str]) -> bool:
        """Tell whether the lead is one of the organisation's."""
        return self.headers.get("X-Organisation") in (None, "", lead["organisation"])

    def answer(self, status: int, value: Any, **headers: str) -> None:
        """Send an answer in JSON."""
        content = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        if value is not None:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is the library's
        """Write nothing: the proxy logs."""


def shown(lead: dict[str, str]) -> dict[str, str]:
    """Return a lead as a client sees it."""
    return {key: value for key, value in lead.items() if key != "organisation"}


def read(body: bytes) -> dict[str, str] | None:
    """Return the fields of a lead in a body, or None where it is none."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    fields = {key: value[key] for key in ("name", "email") if key in value}
    return fields if all(isinstance(each, str) and each for each in fields.values()) else None


if __name__ == "__main__":
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
