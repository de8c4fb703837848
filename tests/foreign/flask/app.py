"""Leads by Flask: a blueprint, a function before each request, a decorator for scopes, and a limiter written by hand.

Flask calls what stands before a request also where no route fits, so whose key it is comes first here. What `DEFECT`
names is done wrong on purpose, as teams do it.
"""
# mypy: ignore-errors
# Flask is nothing that the project needs, so its types are not there when the project is checked.

import json
import math
import os
import threading
import time
import uuid
from dataclasses import dataclass
from functools import wraps

from flask import Blueprint, Flask, abort, g, jsonify, request
from waitress import serve
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import HTTPException, TooManyRequests, Unauthorized

DEFECT = os.environ["DEFECT"]
ALLOWED = {"read": {"read"}, "write": {"read", "write"}, "admin": {"read", "write", "admin"}}
WINDOW = 5
#: Scope -> requests in a window, and how many of them at once.
AMOUNTS = {"read": (5, 5), "write": (60, 30), "admin": (120, 60)}
SHOWN = 15


@dataclass(frozen=True)
class Client:
    key: str
    organisation: str
    scope: str
    active: bool


def read_keys():
    for name, key in os.environ.items():
        if name.startswith("KEY_"):
            _, organisation, scope, mark = name.split("_")
            yield key, Client(key, organisation, scope.lower(), mark.isdigit())


CLIENTS = dict(read_keys())
BY_BEGINNING = {key[:SHOWN]: client for key, client in CLIENTS.items()}
LEADS = {}


class Gcra:
    """The generic cell rate algorithm: one moment for each key, the one at which all that it sent will be paid for."""

    def __init__(self):
        self._paid_at = {}
        self._lock = threading.Lock()

    def wait(self, client):
        """Count a request; returns the seconds until there is room for it, 0 where it was let in."""
        amount, burst = AMOUNTS[client.scope]
        interval = WINDOW / amount
        if DEFECT == "no-lock":
            return self._count(client, interval, burst, pause=0.3)
        with self._lock:
            return self._count(client, interval, burst)

    def _count(self, client, interval, burst, pause=0):
        now = time.monotonic()
        paid_at = max(self._paid_at.get(client.key, now), now)
        room_at = paid_at - (burst - 1) * interval
        time.sleep(pause)
        if room_at > now:
            return room_at - now
        self._paid_at[client.key] = paid_at + interval
        return 0


limiter = Gcra()
app = Flask(__name__)
api = Blueprint("api", __name__, url_prefix="/v1")


@app.errorhandler(HTTPException)
def as_json(error):
    """Return JSON instead of HTML for HTTP errors, as Flask's documentation does it."""
    response = error.get_response()
    response.data = json.dumps({"code": error.code, "name": error.name, "description": error.description})
    response.content_type = "application/json"
    return response


def client_of(key):
    if DEFECT == "beginning-compared":
        return BY_BEGINNING.get(key[:SHOWN])
    return CLIENTS.get(key)


@app.before_request
def authenticate():
    if DEFECT == "no-key-for-head" and request.method in {"HEAD", "OPTIONS"}:
        g.client = Client("", "A", "read", active=True)
        return
    key = request.headers.get("X-API-Key")
    if DEFECT == "key-in-query":
        key = key or request.args.get("api_key")
    client = client_of(key) if key else None
    if client is None or not client.active:
        raise Unauthorized(
            "A valid X-API-Key is required.", www_authenticate=WWWAuthenticate("apikey", {"realm": "leads"})
        )
    seconds = limiter.wait(client)
    if seconds:
        raise TooManyRequests("Slow down.", retry_after=math.ceil(seconds))
    g.client = client


def requires(scope):
    def decorator(view):
        @wraps(view)
        def guarded(*args, **kwargs):
            unguarded = DEFECT == "put-unguarded" and request.method == "PUT"
            if scope not in ALLOWED[g.client.scope] and not unguarded:
                abort(403, "Your key lacks the scope.")
            return view(*args, **kwargs)

        return guarded

    return decorator


def content():
    """Return the fields of the body."""
    found = request.get_json()
    allowed = {"name", "email"}
    if not isinstance(found, dict) or not all(isinstance(found[field], str) for field in allowed & found.keys()):
        abort(400, "The body is not as documented.")
    return {field: found[field] for field in allowed & found.keys()}


def own_lead(lead_id):
    lead = LEADS.get(lead_id)
    if lead is None or (lead["organisation"] != g.client.organisation and DEFECT != "any-organisation"):
        abort(404, "No such lead.")
    return lead


def shown(lead):
    return {field: value for field, value in lead.items() if field != "organisation"}


@api.get("/leads")
@requires("read")
def list_leads():
    return jsonify([shown(lead) for lead in LEADS.values() if lead["organisation"] == g.client.organisation])


@api.post("/leads")
@requires("write")
def create_lead():
    fields = content()
    if not fields.get("name"):
        abort(400, "A lead has a name.")
    lead = {"id": str(uuid.uuid4()), "organisation": g.client.organisation, **fields}
    LEADS[lead["id"]] = lead
    return shown(lead), 201


@api.get("/leads/<lead_id>")
@requires("read")
def get_lead(lead_id):
    return shown(own_lead(lead_id))


@api.route("/leads/<lead_id>", methods=["PATCH", "PUT"] if DEFECT == "put-unguarded" else ["PATCH"])
@requires("write")
def update_lead(lead_id):
    lead = own_lead(lead_id)
    lead.update(content())
    return shown(lead)


@api.delete("/leads/<lead_id>")
@requires("admin")
def delete_lead(lead_id):
    own_lead(lead_id)
    del LEADS[lead_id]
    return "", 204


app.register_blueprint(api)

if __name__ == "__main__":
    serve(app, host="127.0.0.1", port=int(os.environ["PORT"]), threads=8)
