"""FastAPI with slowapi, served by uvicorn."""

from pathlib import Path

from foreign.harness import Defect, Stack

STACK = Stack(
    name="FastAPI + slowapi",
    folder=Path(__file__).parent,
    command=("{python}", "-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", "{port}", "--no-access-log"),
    packages=("fastapi", "slowapi", "uvicorn"),
    limiters=("fixed-window", "moving-window", "sliding-window-counter"),
    not_passed={
        "AUTH-4": "FastAPI strips what Python takes for space from a key, a no-break space too",
        "AUTH-12": "Starlette takes the first of two Authorization lines and says nothing of the other",
        "ERR-3": "HTTPBearer offers `Bearer` without a realm",
        "ERR-10": "Starlette lists in Allow the methods of the first route of a path, and a path has a route for each",
        "SCOPE-5": "FastAPI parses JSON before it looks at anything else, so half a document is a 422 to everybody",
        "PREC-1": "likewise, where no key is sent",
        "ROUTE-2": "uvicorn takes a whole address on the request line for a path",
        "ROUTE-3": "uvicorn and Starlette take any Host, of whatever form",
        "TRANS-6": "no HSTS is promised, and none is sent",
        "RATE-3": "how the limit counts is not promised, and time runs by itself",
        "CACHE-2": "no Cache-Control is promised, and none is sent",
    },
    defects=(
        Defect("route-without-dependency", ("AUTH-1",), "One endpoint is declared without the dependency on a key."),
        Defect("key-in-any-case", ("AUTH-9",), "Keys are looked up in lower case."),
        Defect("writers-delete", ("SCOPE-1",), "The endpoint that deletes asks for the scope of the one above it."),
        Defect("cached-by-url", ("CACHE-4",), "A middleware keeps responses by address, whoever asked."),
        Defect(
            "counted-by-address", ("RATE-8",), "Requests are counted by address, as the first example of slowapi does."
        ),
        Defect(
            "counted-by-forwarded-address", ("RATE-9",), "Requests are counted by what a header says of the address."
        ),
        Defect("check-then-count", ("RATE-10",), "Whether a request is left is asked for before it is counted."),
    ),
)
