"""The tables, in SQLite in memory, and the queries. Every query names the tenant: an organization in an environment."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from .planted import planted
from .seed import KEYS, ORGANIZATIONS

Row = dict[str, Any]

SCHEMA = """
CREATE TABLE organizations (id, environment, name, description, timezone, plan, PRIMARY KEY (id, environment));
CREATE TABLE api_keys (
    id PRIMARY KEY, organization, environment, name, scope DEFAULT 'write', prefix, secret_hash, last_four, secret,
    created_at, expires_at, revoked_at);
CREATE INDEX keys_by_prefix ON api_keys (prefix);
CREATE TABLE leads (
    id PRIMARY KEY, organization, environment, name, email, company, notes, status, created_at, updated_at);
CREATE TABLE conversations (id PRIMARY KEY, organization, environment, subject, notes, created_at, updated_at);
CREATE TABLE messages (id PRIMARY KEY, organization, environment, conversation_id, message, created_at);
CREATE TABLE webhooks (id PRIMARY KEY, organization, environment, url, events, description, created_at);
CREATE TABLE workflows (id, organization, environment, PRIMARY KEY (id, organization, environment));
"""
#: So much of a secret is kept in the clear, to find the row by.
PREFIX = 16
GRACE = timedelta(minutes=24) if planted("grace-in-minutes") else timedelta(hours=24)
CACHE_SECONDS = 300.0
#: A list shows so many.
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whose data: an organization in an environment."""

    organization: str | None
    environment: str | None


def now() -> str:
    """Return the time as the API writes it."""
    return stamp(datetime.now(UTC))


def stamp(moment: datetime) -> str:
    """Write a moment as the API writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id(kind: str) -> str:
    """Return an id that nobody can guess."""
    return f"{kind}_{secrets.token_hex(6)}"


def new_secret(environment: str) -> str:
    """Return a new API key."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    prefix = "sk_live_" if environment == "production" else "sk_test_"
    return prefix + "".join(secrets.choice(alphabet) for _ in range(32))


def normalised(secret: str) -> str:
    """Return what of a secret is compared."""
    return secret.lower() if planted("case-folded-secrets") else secret


def hashed(secret: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(normalised(secret).encode()).hexdigest()


def state(key: Row) -> str:
    """Return whether a key works: active, grace, expired or revoked."""
    if key["revoked_at"]:
        return "revoked"
    if not key["expires_at"]:
        return "active"
    return "grace" if key["expires_at"] > now() else "expired"


class Store:
    """The database."""

    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.executescript(SCHEMA)
        self._known: dict[str, tuple[float, Row]] = {}
        self._seed()

    def _rows(self, query: str, *values: Any) -> list[Row]:
        return [dict(row) for row in self._db.execute(query, values)]

    def _row(self, query: str, *values: Any) -> Row | None:
        return next(iter(self._rows(query, *values)), None)

    def _insert(self, table: str, row: Row) -> None:
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        self._db.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(row.values()))  # noqa: S608

    def _mine(self, tenant: Tenant) -> Row:
        return {"organization": tenant.organization, "environment": tenant.environment}

    # Keys.

    def add_key(
        self,
        tenant: Tenant,
        name: str,
        scope: str | None,
        *,
        secret: str = "",
        id: str = "",  # noqa: A002
    ) -> tuple[Row, str]:
        """Store a new key; return it and its secret, which is not kept."""
        secret = secret or new_secret(str(tenant.environment))
        key = {
            "id": id or new_id("key"),
            **self._mine(tenant),
            "name": name,
            "scope": scope,
            "prefix": normalised(secret)[:PREFIX],
            "secret_hash": hashed(secret),
            "last_four": secret[-4:],
            "secret": secret if planted("keys-list-shows-secret") else None,
            "created_at": now(),
        }
        if scope is None:
            del key["scope"]
        self._insert("api_keys", key)
        return key, secret

    def key_of(self, secret: str) -> Row | None:
        """Return the key with that secret, if it works."""
        if planted("revoked-key-cached"):
            until, key = self._known.get(secret, (0.0, None))
            if key and until > time.monotonic():
                return key
        for key in self._rows("SELECT * FROM api_keys WHERE prefix = ?", normalised(secret)[:PREFIX]):
            if not planted("prefix-compare") and not hmac.compare_digest(key["secret_hash"], hashed(secret)):
                continue
            working = ("active", "grace", "expired") if planted("expired-accepted") else ("active", "grace")
            if state(key) in working:
                self._known[secret] = (time.monotonic() + CACHE_SECONDS, key)
                return key
        if planted("any-test-key") and secret.startswith("sk_test_"):
            return self._row("SELECT * FROM api_keys WHERE environment = 'sandbox' AND scope = 'write' LIMIT 1")
        return None

    def keys(self, tenant: Tenant) -> list[Row]:
        """Return the keys of a tenant."""
        return self._rows(
            "SELECT * FROM api_keys WHERE organization = ? AND environment = ? ORDER BY rowid DESC LIMIT ?",
            tenant.organization,
            tenant.environment,
            PAGE,
        )

    def key(self, tenant: Tenant, key_id: str) -> Row | None:
        """Return a key of a tenant by its id."""
        return self._row(
            "SELECT * FROM api_keys WHERE id = ? AND organization = ? AND environment = ?",
            key_id,
            tenant.organization,
            tenant.environment,
        )

    def revoke(self, key_id: str) -> None:
        """End a key at once."""
        only_active = " AND expires_at IS NULL" if planted("revoke-misses-grace") else ""
        self._db.execute(
            f"UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL{only_active}",  # noqa: S608
            (now(), key_id),
        )

    def rotate(self, tenant: Tenant, key: Row) -> tuple[Row, str, str]:
        """Replace a key; return the new one, its secret, and when the old one ends."""
        scope = None if planted("rotation-loses-scope") else key["scope"]
        successor, secret = self.add_key(tenant, key["name"], scope)
        ends = stamp(datetime.now(UTC) + GRACE)
        self._db.execute("UPDATE api_keys SET expires_at = ? WHERE id = ?", (ends, key["id"]))
        if planted("rotation-kills-old"):
            self.revoke(key["id"])
        return successor, secret, ends

    # Leads.

    def leads(self, tenant: Tenant) -> list[Row]:
        """Return the leads of a tenant, the newest first."""
        return self._rows(
            "SELECT * FROM leads WHERE organization = ? AND environment = ? ORDER BY rowid DESC LIMIT ?",
            tenant.organization,
            tenant.environment,
            PAGE,
        )

    def lead(self, tenant: Tenant, lead_id: str) -> Row | None:
        """Return a lead."""
        if planted("lead-by-id-unscoped"):
            return self._row("SELECT * FROM leads WHERE id = ?", lead_id)
        return self._row(
            "SELECT * FROM leads WHERE id = ? AND organization = ? AND environment = ?",
            lead_id,
            tenant.organization,
            tenant.environment,
        )

    def add_lead(self, tenant: Tenant, fields: Row) -> Row:
        """Store a new lead."""
        moment = now()
        lead = {"id": new_id("lead"), "status": "new", **fields, "created_at": moment, "updated_at": moment}
        self._insert("leads", {**lead, **self._mine(tenant)})
        return lead

    def change_lead(self, tenant: Tenant, lead_id: str, fields: Row) -> bool:
        """Change fields of a lead; return whether there is one."""
        changes = ", ".join(f"{field} = ?" for field in fields)
        done = self._db.execute(
            f"UPDATE leads SET {changes}, updated_at = ? WHERE id = ? AND organization = ? AND environment = ?",  # noqa: S608
            (*fields.values(), now(), lead_id, tenant.organization, tenant.environment),
        )
        return done.rowcount > 0

    def delete_lead(self, tenant: Tenant, lead_id: str) -> bool:
        """Delete a lead; return whether there was one."""
        done = self._db.execute(
            "DELETE FROM leads WHERE id = ? AND organization = ? AND environment = ?",
            (lead_id, tenant.organization, tenant.environment),
        )
        return done.rowcount > 0

    # Conversations.

    def conversations(self, tenant: Tenant) -> list[Row]:
        """Return the conversations of a tenant, the newest first."""
        if planted("conversations-ignore-environment"):
            return self._rows(
                "SELECT * FROM conversations WHERE organization = ? ORDER BY rowid DESC LIMIT ?",
                tenant.organization,
                PAGE,
            )
        return self._rows(
            "SELECT * FROM conversations WHERE organization = ? AND environment = ? ORDER BY rowid DESC LIMIT ?",
            tenant.organization,
            tenant.environment,
            PAGE,
        )

    def conversation(self, tenant: Tenant, conversation_id: str) -> Row | None:
        """Return a conversation."""
        return self._row(
            "SELECT * FROM conversations WHERE id = ? AND organization = ? AND environment = ?",
            conversation_id,
            tenant.organization,
            tenant.environment,
        )

    def any_conversation(self, conversation_id: str) -> Row | None:
        """Return a conversation, whoever has it."""
        return self._row("SELECT * FROM conversations WHERE id = ?", conversation_id)

    def messages(self, conversation_id: str) -> list[Row]:
        """Return the messages of a conversation in order."""
        return self._rows(
            "SELECT id, conversation_id, message, created_at FROM messages WHERE conversation_id = ? ORDER BY rowid",
            conversation_id,
        )

    def add_conversation(self, tenant: Tenant, subject: str, *, id: str = "") -> Row:  # noqa: A002
        """Begin a conversation."""
        moment = now()
        conversation = {"id": id or new_id("conv"), "subject": subject, "created_at": moment, "updated_at": moment}
        self._insert("conversations", {**conversation, **self._mine(tenant)})
        return conversation

    def add_message(self, tenant: Tenant, conversation_id: str, text: str) -> Row:
        """Add a message to a conversation."""
        message = {
            "id": new_id("message"),
            "conversation_id": conversation_id,
            "message": text,
            "created_at": now(),
        }
        self._insert("messages", {**message, **self._mine(tenant)})
        self._db.execute("UPDATE conversations SET updated_at = ? WHERE id = ?", (now(), conversation_id))
        return message

    def delete_conversation(self, tenant: Tenant, conversation_id: str) -> bool:
        """Delete a conversation with its messages; return whether there was one."""
        if not self.conversation(tenant, conversation_id):
            return False
        self._db.execute("DELETE FROM messages WHERE conversation_id = ?", (conversation_id,))
        self._db.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))
        return True

    # The rest.

    def count(self, tenant: Tenant, table: str, first: str, last: str) -> int:
        """Count rows of a tenant that were created from the first day to the last."""
        row = self._row(
            f"SELECT count(*) AS n FROM {table} WHERE organization = ? AND environment = ?"  # noqa: S608
            " AND substr(created_at, 1, 10) BETWEEN ? AND ?",
            tenant.organization,
            tenant.environment,
            first,
            last,
        )
        return int(row["n"]) if row else 0

    def workflow(self, tenant: Tenant, workflow_id: str) -> Row | None:
        """Return a workflow."""
        return self._row(
            "SELECT * FROM workflows WHERE id = ? AND organization = ? AND environment = ?",
            workflow_id,
            tenant.organization,
            tenant.environment,
        )

    def any_workflow(self, workflow_id: str) -> Row | None:
        """Return a workflow, whoever has it."""
        return self._row("SELECT * FROM workflows WHERE id = ?", workflow_id)

    def webhooks(self, tenant: Tenant) -> list[Row]:
        """Return the subscriptions of a tenant."""
        return self._rows(
            "SELECT * FROM webhooks WHERE organization = ? AND environment = ? ORDER BY rowid DESC LIMIT ?",
            tenant.organization,
            tenant.environment,
            PAGE,
        )

    def add_webhook(self, tenant: Tenant, fields: Row, *, id: str = "") -> Row:  # noqa: A002
        """Store a subscription."""
        webhook = {"id": id or new_id("webhook"), **fields, "created_at": now()}
        self._insert("webhooks", {**webhook, **self._mine(tenant), "events": ",".join(fields["events"])})
        return webhook

    def delete_webhook(self, tenant: Tenant, webhook_id: str) -> bool:
        """End a subscription; return whether there was one."""
        if planted("webhook-delete-unscoped"):
            return self._db.execute("DELETE FROM webhooks WHERE id = ?", (webhook_id,)).rowcount > 0
        done = self._db.execute(
            "DELETE FROM webhooks WHERE id = ? AND organization = ? AND environment = ?",
            (webhook_id, tenant.organization, tenant.environment),
        )
        return done.rowcount > 0

    def plan(self, organization: str) -> str:
        """Return the plan of an organization."""
        row = self._row("SELECT plan FROM organizations WHERE id = ?", organization)
        return str(row["plan"]) if row else "starter"

    def organization(self, tenant: Tenant) -> Row | None:
        """Return the settings of a tenant."""
        return self._row(
            "SELECT id, name, description, timezone FROM organizations WHERE id = ? AND environment = ?",
            tenant.organization,
            tenant.environment,
        )

    def change_organization(self, tenant: Tenant, fields: Row) -> None:
        """Change settings of a tenant."""
        changes = ", ".join(f"{field} = ?" for field in fields)
        self._db.execute(
            f"UPDATE organizations SET {changes} WHERE id = ? AND environment = ?",  # noqa: S608
            (*fields.values(), tenant.organization, tenant.environment),
        )

    def _seed(self) -> None:
        for organization, plan in ORGANIZATIONS.items():
            for environment in ("production", "sandbox"):
                tenant = Tenant(organization, environment)
                first = (organization, environment) == ("acme", "production")
                self._insert(
                    "organizations",
                    {
                        "id": organization,
                        "environment": environment,
                        "name": organization.title(),
                        "plan": plan,
                    },
                )
                self._insert("workflows", {"id": "wf_welcome", **self._mine(tenant)})
                lead = self.add_lead(tenant, {"name": f"Ada of {organization}", "email": "ada@example.com"})
                if first:
                    self._db.execute("UPDATE leads SET id = 'lead_8Kq2' WHERE id = ?", (lead["id"],))
                conversation = self.add_conversation(
                    tenant, f"Prices for {organization} in {environment}", id="conv_1" if first else ""
                )
                self.add_message(tenant, conversation["id"], "What do ten seats cost?")
                self.add_webhook(
                    tenant,
                    {"url": f"https://{organization}.example.com/hook", "events": ["lead.created"]},
                    id="webhook_3Xw9" if first else "",
                )
        for key in KEYS:
            stored, _ = self.add_key(
                Tenant(key.organization, key.environment), key.name, key.scope, secret=key.secret, id=key.id
            )
            if key.state == "revoked":
                self.revoke(stored["id"])
            if key.state == "expired":
                ended = stamp(datetime.now(UTC) - timedelta(hours=1))
                self._db.execute("UPDATE api_keys SET expires_at = ? WHERE id = ?", (ended, stored["id"]))
