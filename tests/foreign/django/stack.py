"""Django REST Framework with its own throttling, served by gunicorn."""

from pathlib import Path

from foreign.harness import Defect, Stack

STACK = Stack(
    name="Django REST Framework",
    folder=Path(__file__).parent,
    command=("{python}", "serve.py"),
    packages=("django", "rest_framework", "gunicorn"),
    path="/api",
    not_passed={
        "ERR-3": "TokenAuthentication offers its keyword without a realm",
        "ROUTE-3": "Django takes its own name for the host of a request without one",
        "TRANS-6": "no HSTS is promised, and none is sent",
        "RATE-10": "gunicorn's one worker answers in turn: a race may last into another window",
        "CACHE-2": "no Cache-Control is promised, and none is sent",
    },
    defects=(
        Defect("permission-forgotten", ("SCOPE-1",), "A view names permissions of its own and forgets that of scopes."),
        Defect("key-in-any-case", ("AUTH-9",), "The database compares keys whatever their case."),
        Defect("everybodys-queryset", ("TEN-1",), "Objects are looked up by id among those of every organisation."),
        Defect(
            "no-challenge", ("AUTH-1",), "An authentication class names no challenge, so that its 401 becomes a 403."
        ),
        Defect(
            "counted-by-forwarded-address", ("RATE-9",), "Requests are counted by what a header says of the address."
        ),
        Defect(
            "cached-page",
            ("CACHE-4",),
            "Pages are called public and kept, so that `cache_page` gives them to whoever asks next.",
        ),
    ),
)
