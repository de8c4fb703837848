"""Express with express-rate-limit, and with rate-limiter-flexible."""

from pathlib import Path

from foreign.harness import Defect, Stack

STACK = Stack(
    name="Express",
    folder=Path(__file__).parent,
    command=("node", "app.js"),
    programs=("node",),
    files=("node_modules/express/package.json",),
    path="/api/v1",
    limiters=("draft-8", "draft-7", "draft-6", "legacy", "flexible"),
    not_passed={
        "AUTH-12": "Node keeps the first of two Authorization lines and drops the other without a word",
        "SCOPE-5": "express.json comes first, as the guides have it, so half a document is a 400 to everybody",
        "PREC-1": "likewise, where no key is sent",
        "ROUTE-3": "Node takes two Hosts, and a Host of any form",
        "TRANS-6": "no HSTS is promised, and none is sent",
        "RATE-3": "how the limit counts is not promised, and time runs by itself",
        "CACHE-2": "no Cache-Control is promised, and none is sent",
    },
    defects=(
        Defect(
            "route-before-middleware", ("AUTH-1",), "A route is registered before the middleware that asks for a key."
        ),
        Defect("guard-by-path", ("ROUTE-1",), "The guard goes by the path, which the router matches in any case."),
        Defect("keys-without-case", ("AUTH-9",), "Keys are looked up in lower case."),
        Defect("ended-not-asked", ("AUTH-8",), "Whether a key was revoked or has expired is not asked."),
        Defect("scope-forgotten", ("SCOPE-1",), "The handler that deletes asks for the scope of the one above it."),
        Defect("object-by-id-alone", ("TEN-1",), "An object is found by its id, whoever asks for it."),
        Defect("limit-by-address", ("RATE-9",), "Requests are counted by an address that the client may claim."),
    ),
)
