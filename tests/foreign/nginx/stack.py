"""nginx in front of Python's own http.server: keys in a map, auth_request, limit_req, and HTTP/2 by TLS."""

from pathlib import Path

from foreign.harness import Defect, Stack

#: nginx compares strings of a map without regard to case, and regular expressions as they are written.
KEY_LINES = '"~^SECRET$" "HOLDER"; #-keys-as-strings\n"SECRET" "HOLDER"; #+keys-as-strings'

STACK = Stack(
    name="nginx",
    folder=Path(__file__).parent,
    command=("python3", "proxied.py", "nginx.conf", KEY_LINES, "nginx", "-e", "stderr", "-p", "{work}", "-c"),
    programs=("nginx", "python3"),
    path="/api/v1",
    secure=True,
    limiters=("nodelay", "delay", "small-burst"),
    not_passed={
        "AUTH-5": "nginx strips spaces from a header's value, and no tabs",
        "ERR-10": "nginx answers TRACE and CONNECT by itself, with a 405 that has no Allow",
        "TRANS-6": "no HSTS is promised, and none is sent",
        "RATE-3": "how the limit counts is not promised, and time runs by itself",
        "RATE-8": "limit_req lets a key in again after 0.4 s, too soon to show that another is counted apart",
        "RATE-9": "likewise, where delayed requests give the bucket time to leak meanwhile",
        "RATE-7": "likewise: while requests are delayed the bucket leaks, and the key is let in before Retry-After",
        "RATE-13": "likewise, sooner than Retry-After says, whose least is a second",
        "CACHE-2": "no Cache-Control is promised, and none is sent",
    },
    defects=(
        Defect("location-without-auth", ("AUTH-1",), "One location has no auth_request."),
        Defect("keys-as-strings", ("AUTH-9",), "Keys stand in a map as strings, which nginx compares in any case."),
        Defect("merge-slashes-off", ("ROUTE-1",), "The guarded location is one of a path with its slashes unmerged."),
        Defect("headers-not-inherited", ("TEN-1",), "A proxy_set_header in the location drops those of the server."),
        Defect("cached-by-address", ("CACHE-4",), "A proxy_cache keeps what a key was answered by address alone."),
        Defect("challenge-on-success-only", ("ERR-1",), "add_header lacks `always`, so a 401 goes without it."),
        Defect("limit-by-address", ("RATE-8",), "limit_req counts addresses, as its first example does."),
        Defect("limit-by-text", ("RATE-9",), "limit_req counts the header's text, which can be spelled otherwise."),
        Defect("plain-is-served", ("TRANS-1",), "The server for plain HTTP passes requests on."),
        Defect("method-override", ("METH-6",), "The backend follows a header to another method than nginx judged."),
    ),
)
