"""Leads by FastAPI, as its tutorial teaches: a bearer scheme, security scopes, models, and slowapi's decorator.

What is asked for first is not the key: FastAPI routes, and then resolves what an endpoint depends on. What `DEFECT`
names is done wrong on purpose, as teams do it.
"""
# mypy: ignore-errors
# FastAPI is nothing that the project needs, so its types are not there when the project is checked.
# ruff: noqa: ARG001  slowapi takes `request` and `response` from the parameters of an endpoint

import os
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from limits.strategies import STRATEGIES
from pydantic import BaseModel, Field
from slowapi import Limiter, _rate_limit_exceeded_handler
from slowapi.errors import RateLimitExceeded
from slowapi.util import get_remote_address

DEFECT = os.environ["DEFECT"]
CHALLENGE = {"WWW-Authenticate": "Bearer"}
ALLOWED = {"read": {"read"}, "write": {"read", "write"}, "admin": {"read", "write", "admin"}}
REQUESTS = {"read": 10, "write": 60, "admin": 120}


class Client(BaseModel):
    """Who calls: the owner of a key."""

    key: str
    organisation: str
    scope: str
    active: bool


class NewLead(BaseModel):
    """A lead before it has an id."""

    name: str = Field(min_length=1, max_length=100)
    email: str | None = Field(default=None, max_length=100)


class LeadChange(BaseModel):
    """Some fields of a lead."""

    name: str = Field(default="", min_length=1, max_length=100)
    email: str | None = Field(default=None, max_length=100)


class Lead(NewLead):
    """A lead as it is stored."""

    id: str


def clients() -> dict[str, Client]:
    """Read the keys that this server knows."""
    known = {}
    for name, key in os.environ.items():
        if name.startswith("KEY_"):
            _, organisation, scope, mark = name.split("_")
            known[key] = Client(key=key, organisation=organisation, scope=scope.lower(), active=mark.isdigit())
    return known


CLIENTS = clients()
IN_ANY_CASE = {key.lower(): client for key, client in CLIENTS.items()}
LEADS: dict[tuple[str, str], Lead] = {}

bearer = HTTPBearer(auto_error=False)


def caller(request: Request) -> str:
    """Return whose requests are counted together."""
    if DEFECT == "counted-by-address":
        return f"{get_remote_address(request)} {request.state.client.scope}"
    if DEFECT == "counted-by-forwarded-address":
        return f"{request.headers.get('X-Forwarded-For', get_remote_address(request))} {request.state.client.scope}"
    return f"{request.state.client.key} {request.state.client.scope}"


limiter = Limiter(key_func=caller, strategy=os.environ["LIMITER"], headers_enabled=True)
app = FastAPI()
app.state.limiter = limiter
app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)


def current_client(
    request: Request,
    scopes: SecurityScopes,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Client:
    """Return who calls, if the key is good and its scope is enough."""
    if credentials is None:
        raise HTTPException(401, "Not authenticated", CHALLENGE)
    client = CLIENTS.get(credentials.credentials)
    if DEFECT == "key-in-any-case":
        client = IN_ANY_CASE.get(credentials.credentials.lower())
    if client is None or not client.active:
        raise HTTPException(401, "Invalid API key", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    if not set(scopes.scopes) <= ALLOWED[client.scope]:
        raise HTTPException(403, "Not enough permissions")
    request.state.client = client
    return client


Reader = Annotated[Client, Security(current_client, scopes=["read"])]
Writer = Annotated[Client, Security(current_client, scopes=["write"])]
Admin = Annotated[Client, Security(current_client, scopes=["write" if DEFECT == "writers-delete" else "admin"])]


def amount(key: str) -> str:
    """Return how many requests a key has, by its scope."""
    return f"{REQUESTS[key.rpartition(' ')[2]]}/5 seconds"


limited = limiter.shared_limit(amount, scope="requests")


if DEFECT == "check-then-count":

    class Unsteady(STRATEGIES[os.environ["LIMITER"]]):
        """Asks the store, waits for its answer, and counts then, as with a store on another machine."""

        def hit(self, item, *identifiers, cost=1):
            admitted = self.test(item, *identifiers, cost=cost)
            time.sleep(0.3)
            return admitted and (super().hit(item, *identifiers, cost=cost) or True)

    limiter._limiter = Unsteady(limiter._storage)

if DEFECT == "route-without-dependency":

    @app.get("/leads/{lead_id}")
    async def get_any_lead(lead_id: str) -> Lead:
        found = [lead for (_, name), lead in LEADS.items() if name == lead_id]
        if not found:
            raise HTTPException(404, "Not Found")
        return found[0]


if DEFECT == "cached-by-url":
    CACHED: dict[str, bytes] = {}

    @app.middleware("http")
    async def cache(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        url = str(request.url)
        if request.method == "GET" and url in CACHED:
            return Response(CACHED[url], media_type="application/json")
        response = await call_next(request)
        if request.method == "GET" and response.status_code == 200:
            CACHED[url] = b"".join([part async for part in response.body_iterator])
            return Response(CACHED[url], media_type="application/json")
        return response


def own_lead(client: Client, lead_id: str) -> Lead:
    """Return a lead of the caller's organisation."""
    lead = LEADS.get((client.organisation, lead_id))
    if lead is None:
        raise HTTPException(404, "Not Found")
    return lead


@app.get("/leads")
@limited
def list_leads(request: Request, response: Response, client: Reader) -> list[Lead]:
    return [lead for (organisation, _), lead in LEADS.items() if organisation == client.organisation]


@app.post("/leads", status_code=201)
@limited
def create_lead(request: Request, response: Response, client: Writer, new: NewLead) -> Lead:
    lead = Lead(id=f"lead_{secrets.token_hex(8)}", **new.model_dump())
    LEADS[client.organisation, lead.id] = lead
    return lead


@app.get("/leads/{lead_id}")
@limited
def get_lead(request: Request, response: Response, client: Reader, lead_id: str) -> Lead:
    return own_lead(client, lead_id)


@app.patch("/leads/{lead_id}")
@limited
def update_lead(request: Request, response: Response, client: Writer, lead_id: str, change: LeadChange) -> Lead:
    lead = own_lead(client, lead_id).model_copy(update=change.model_dump(exclude_unset=True))
    LEADS[client.organisation, lead_id] = lead
    return lead


@app.delete("/leads/{lead_id}", status_code=204)
@limited
def delete_lead(request: Request, response: Response, client: Admin, lead_id: str) -> None:
    own_lead(client, lead_id)
    del LEADS[client.organisation, lead_id]
