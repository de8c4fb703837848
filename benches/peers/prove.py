# ruff: noqa: PLR2004
# A proof is a request and the status that betrays the defect.
"""Prove that each defect is there, and that the correct application has none of them, by requests written by hand.

Run it as `python -m benches.peers.prove [DEFECT ...]`. No tool of the benchmark takes part: this only shows that there
is something to find.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .client import SECRETS, Application, application
from .environment import app_python, cache_folder
from .report import DEFECTS

Proof = Callable[[Application], bool]
LEAD = {"name": "Ada Park"}
HOOK = {"url": "https://crm.example.com/hook", "events": ["lead.created"]}
STARTER_READS = 120
APP = Path(__file__).parent / "app"


def _new_key(app: Application, by: str = "acme-admin", scope: str = "read") -> tuple[str, str]:
    made = app.call("POST", "/keys", by, {"name": "made for a proof", "scope": scope}).body
    return made["id"], made["secret"]


def _rotated(app: Application) -> tuple[str, str, str, datetime]:
    """Rotate a new key; return the id and the secret of the old one, the new secret, and when the old one ends."""
    old_id, old = _new_key(app)
    answer = app.call("POST", f"/keys/{old_id}/rotate", "acme-admin").body
    return old_id, old, answer["secret"], datetime.fromisoformat(answer["old_key_expires_at"])


def _reads(app: Application, number: int, headers: Callable[[int], dict[str, str]] = lambda _: {}) -> int:
    """Read so often with a key of the starter plan; return how many were admitted."""
    paths = ("/leads", "/conversations")
    answers = [app.call("GET", paths[n % 2], "initech-read", headers=headers(n)) for n in range(number)]
    return sum(answer.status == 200 for answer in answers)


def _deleted_and_refused(app: Application) -> bool:
    lead = app.call("POST", "/leads", "acme-write", LEAD).body["id"]
    refused = app.call("DELETE", f"/leads/{lead}", "acme-write").body["error"]["code"] == "forbidden"
    return bool(refused) and _is(app, "GET", f"/leads/{lead}", "acme-read", 404)


def _revoked_works(app: Application) -> bool:
    key_id, secret = _new_key(app)
    app.call("GET", "/leads", secret)
    app.call("DELETE", f"/keys/{key_id}", "acme-admin")
    return _is(app, "GET", "/leads", secret, 200)


def _revoked_in_grace_works(app: Application) -> bool:
    old_id, old, _, _ = _rotated(app)
    app.call("DELETE", f"/keys/{old_id}", "acme-admin")
    return _is(app, "GET", "/leads", old, 200)


def _foreign_cache(app: Application) -> bool:
    mine = app.call("GET", "/organization", "acme-admin").body
    return bool(app.call("GET", "/organization", "globex-admin").body == mine)


def _is(app: Application, method: str, path: str, key: str, status: int, body: object = None) -> bool:  # noqa: PLR0913
    return app.call(method, path, key, body).status == status


def _sandbox_conversation_in_production(app: Application) -> bool:
    made = app.call("POST", "/chat/messages", "acme-test-write", {"message": "only a test"}).body
    listed = app.call("GET", "/conversations", "acme-read").body["data"]
    return str(made["conversation_id"]) in [conversation["id"] for conversation in listed]


def _token(app: Application, header: str) -> int:
    return app.call("GET", "/leads", headers={"Authorization": header}).status


READ = SECRETS["acme-read"]
PROOFS: dict[str, Proof] = {
    "open-workflow-trigger": lambda app: _is(app, "POST", "/workflows/wf_welcome/trigger", "", 202),
    "public-by-substring": lambda app: _is(app, "GET", "/leads?from=/health", "", 200),
    "any-scheme": lambda app: _token(app, f"Token {READ}") == 200,
    "prefix-compare": lambda app: _token(app, f"Bearer {READ[:-4]}0000") == 200,
    "case-folded-secrets": lambda app: _token(app, f"Bearer {READ.swapcase()}") == 200,
    "bare-bearer-crash": lambda app: _token(app, "Bearer") == 500,
    "forgotten-decorator": lambda app: _is(app, "DELETE", "/conversations/conv_1", "acme-read", 204),
    "get-is-always-read": lambda app: _is(app, "GET", "/keys", "acme-read", 200),
    "post-means-write": lambda app: _is(app, "POST", "/webhooks", "acme-write", 201, HOOK),
    "rotate-unprotected": lambda app: _is(app, "POST", "/keys/key_7Tb4/rotate", "acme-read", 201),
    "scope-checked-after-delete": _deleted_and_refused,
    "scope-equality": lambda app: _is(app, "POST", "/chat/messages", "acme-admin", 403, {"message": "hello"}),
    "head-skips-auth": lambda app: _is(app, "HEAD", "/leads", "", 200),
    "method-tunnel": lambda app: (
        app.call("POST", "/leads/lead_8Kq2", "acme-write", headers={"X-HTTP-Method-Override": "DELETE"}).status == 204
    ),
    "analytics-by-post": lambda app: _is(app, "POST", "/analytics", "acme-read", 200),
    "missing-key-is-403": lambda app: _is(app, "GET", "/leads", "", 403),
    "plain-text-invalid-key": lambda app: app.call("GET", "/leads", "sk_live_wrong").body == "Unauthorized",
    "doc-url-from-host": lambda app: "localhost" in str(app.call("GET", "/leads").body),
    "error-with-200": lambda app: _is(app, "GET", "/webhooks", "acme-read", 200),
    "limit-off-by-one": lambda app: _reads(app, STARTER_READS + 5) == STARTER_READS + 1,
    "limit-by-forwarded-for": lambda app: (
        _reads(app, STARTER_READS + 5, lambda n: {"X-Forwarded-For": f"192.0.2.{n}"}) == STARTER_READS + 5
    ),
    "window-in-milliseconds": lambda app: _reads(app, STARTER_READS + 5) == STARTER_READS + 5,
    "limit-per-path": lambda app: _reads(app, STARTER_READS + 5) == STARTER_READS + 5,
    "plan-ignored": lambda app: 429 in [app.call("GET", "/leads", "acme-read").status for _ in range(130)],
    "revoked-key-cached": _revoked_works,
    "expired-accepted": lambda app: _is(app, "GET", "/leads", "acme-expired", 200),
    "rotation-kills-old": lambda app: _is(app, "GET", "/leads", _rotated(app)[1], 401),
    "grace-in-minutes": lambda app: _rotated(app)[3] < datetime.now(UTC) + timedelta(hours=23),
    "rotation-loses-scope": lambda app: _is(app, "POST", "/leads", _rotated(app)[2], 201, LEAD),
    "revoke-misses-grace": _revoked_in_grace_works,
    "keys-list-shows-secret": lambda app: READ in str(app.call("GET", "/keys", "acme-admin").body),
    "any-test-key": lambda app: _is(app, "GET", "/leads", "sk_test_nobodys", 200),
    "conversations-ignore-environment": _sandbox_conversation_in_production,
    "created-key-is-live": lambda app: _new_key(app, "acme-test-admin")[1].startswith("sk_live_"),
    "lead-by-id-unscoped": lambda app: _is(app, "GET", "/leads/lead_8Kq2", "globex-read", 200),
    "webhook-delete-unscoped": lambda app: _is(app, "DELETE", "/webhooks/webhook_3Xw9", "globex-admin", 204),
    "chat-into-foreign-conversation": lambda app: _is(
        app, "POST", "/chat/messages", "globex-write", 201, {"message": "hello", "conversation_id": "conv_1"}
    ),
    "plain-http-served": lambda app: app.call("GET", "/leads", "acme-read", plain=True).status == 200,
    "forwarded-proto-trusted": lambda app: (
        app.call("GET", "/leads", "acme-read", headers={"X-Forwarded-Proto": "https"}, plain=True).status == 200
    ),
    "cache-without-tenant": _foreign_cache,
}


def main(names: list[str]) -> int:
    """Print which defects are not as they should be; return 1 where there are some."""
    started, wrong = time.monotonic(), 0
    planted = re.findall(r'(?:planted|unless)\("([\w-]+)"', "".join(path.read_text() for path in APP.glob("*.py")))
    if not set(planted) == set(PROOFS) == {name for name, _ in DEFECTS}:
        print("defects.yaml, the application and the proofs name different defects")
        return 1
    for name in names or PROOFS:
        for defect, expected in (("", False), (name, True)):
            with application(app_python(), cache_folder(), defect) as app:
                if PROOFS[name](app) is not expected:
                    wrong += 1
                    print(f"{name}: {'not there' if expected else 'in the correct application'}")
    print(f"{len(names or PROOFS)} defects, {wrong} wrong, {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
