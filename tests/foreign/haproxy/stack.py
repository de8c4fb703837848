"""HAProxy in front of Python's own http.server: keys in a map, rates in a stick table, and HTTP/2 by TLS."""

from pathlib import Path

from foreign.harness import Defect, Stack

KEY_LINES = "SECRET HOLDER #-keys-in-lower-case\nLOWERED HOLDER #+keys-in-lower-case"

STACK = Stack(
    name="HAProxy",
    folder=Path(__file__).parent,
    command=("python3", "../nginx/proxied.py", "haproxy.cfg", KEY_LINES, "haproxy", "-db", "-f"),
    programs=("haproxy", "python3"),
    path="/api/v1",
    secure=True,
    limiters=("requests", "admitted"),
    not_passed={
        "AUTH-4": "HAProxy takes a comma for the end of a header's value, so the key may have one behind it",
        "AUTH-12": "http_auth_bearer reads the first of two Authorization lines and says nothing of the other",
        "ROUTE-2": "HAProxy hands a whole address on as it came, and http.server takes it for a path",
        "ROUTE-3": "HAProxy lets a request without a Host pass, and http.server does not look for one",
        "TRANS-6": "no HSTS is promised, and none is sent",
        "RATE-3": "how the limit counts is not promised, and time runs by itself",
        "CACHE-2": "no Cache-Control is promised, and none is sent",
    },
    defects=(
        Defect(
            "path-by-its-beginning", ("ROUTE-1",), "The guard asks for path_beg, which a path with two slashes has not."
        ),
        Defect("keys-in-lower-case", ("AUTH-9",), "Keys are looked up in lower case."),
        Defect("nul-ends-the-key", ("AUTH-13",), "A lookup ends at NUL, and nothing refuses NUL before."),
        Defect(
            "deletes-by-pattern", ("ROUTE-1",), "Who may not delete is stopped where the path matches a pattern only."
        ),
        Defect("limit-by-address", ("RATE-8",), "The stick table counts addresses."),
        Defect("plain-is-served", ("TRANS-1",), "The frontend for plain HTTP passes requests on."),
        Defect("method-override", ("METH-6",), "The backend follows a header to another method than HAProxy judged."),
    ),
)
