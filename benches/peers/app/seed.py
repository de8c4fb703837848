"""Whom the application knows when it starts. The runner reads the same tables to lend the keys to the tools."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SeedKey:
    """A key that exists at the start."""

    name: str
    organization: str
    scope: str
    environment: str = "production"
    #: "active", or "revoked", or "expired": its 24 hours of grace are over.
    state: str = "active"
    id: str = ""

    @property
    def secret(self) -> str:
        """The secret, which whoever knows the name can compute: this is a benchmark."""
        prefix = "sk_live_" if self.environment == "production" else "sk_test_"
        return prefix + hashlib.sha256(b"seed " + self.name.encode()).hexdigest()[:32].replace("a", "A")


#: Organization and plan. The specification's examples of ids belong to the first one.
ORGANIZATIONS = {"acme": "enterprise", "globex": "enterprise", "initech": "starter"}

KEYS = (
    SeedKey("acme-read", "acme", "read"),
    SeedKey("acme-write", "acme", "write"),
    SeedKey("acme-admin", "acme", "admin"),
    SeedKey("acme-spare", "acme", "read", id="key_7Tb4"),
    SeedKey("acme-test-read", "acme", "read", "sandbox"),
    SeedKey("acme-test-write", "acme", "write", "sandbox"),
    SeedKey("acme-test-admin", "acme", "admin", "sandbox"),
    SeedKey("acme-revoked", "acme", "admin", state="revoked"),
    SeedKey("acme-expired", "acme", "admin", state="expired"),
    SeedKey("globex-read", "globex", "read"),
    SeedKey("globex-write", "globex", "write"),
    SeedKey("globex-admin", "globex", "admin"),
    SeedKey("initech-read", "initech", "read"),
    SeedKey("initech-write", "initech", "write"),
    SeedKey("initech-admin", "initech", "admin"),
)
