"""Flask with a limiter of its own, a GCRA, served by waitress; keys travel in a header of their own."""

from pathlib import Path

from foreign.harness import Defect, Stack

STACK = Stack(
    name="Flask",
    folder=Path(__file__).parent,
    command=("{python}", "app.py"),
    packages=("flask", "waitress"),
    path="/v1",
    limiters=("gcra",),
    not_passed={
        "LEAK-1": "waitress quotes the line that it cannot read, and a key with a bare CR in it makes such a line",
        "ROUTE-3": "werkzeug takes any Host, of whatever form, and requests without one",
        "TRANS-6": "no HSTS is promised, and none is sent",
        "RATE-3": "a bucket fills while it is counted out, and time runs by itself",
        "RATE-13": "Retry-After is in whole seconds, and the bucket has room sooner: who comes early is let in",
        "CACHE-2": "no Cache-Control is promised, and none is sent",
    },
    defects=(
        Defect("no-key-for-head", ("METH-1",), "What stands before a request lets HEAD pass with OPTIONS."),
        Defect("key-in-query", ("AUTH-10",), "A key is read from the query as well."),
        Defect("beginning-compared", ("AUTH-9",), "A key is found by its beginning, and the rest is never compared."),
        Defect("put-unguarded", ("METH-2", "SCOPE-2"), "A method is added to a route, and not to what guards it."),
        Defect("any-organisation", ("TEN-1",), "A lead is found by its id, whosever it is."),
        Defect("no-lock", ("RATE-10",), "Two threads read what is left before one of them writes."),
    ),
)
