"""A request read once: what is wrong with its syntax, what key it shows, and where its path leads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from authcontract_policy import Cause, Dimension, Operation, Policy

from ._credentials import Presentation, Presented
from ._lean import lean
from ._routes import Place, Routes
from ._syntax import origin_form, problem_of
from ._values import Request


@lean(frozen=True, slots=True)
class Reading:
    """A request, read once; every later question is asked of this."""

    request: Request
    problem: Cause | None
    presented: Presented
    operation: Operation | None
    #: Path of the target as received.
    path: bytes
    #: Where the path leads; None: nowhere.
    place: Place | None
    #: What stands for the parameters of the path.
    values: tuple[bytes, ...]
    #: Whether the base URL that received it promises HTTPS and it came without.
    plaintext: bool
    #: Whether nothing of the request itself is in the way: only facts can refuse it now.
    clear: bool

    @property
    def path_parameters(self) -> Mapping[str, str]:
        """Return what stands for the parameters of the path."""
        return {} if self.place is None else self.place.named(self.request.method, self.values)

    @property
    def allowed_methods(self) -> tuple[str, ...]:
        """Return the methods of the path, as `Allow` lists them."""
        if self.place is None:
            return ()
        return tuple(sorted({method.decode() for method in self.place.methods} | {"OPTIONS"}))

    @property
    def asks_for_methods(self) -> bool:
        """Say whether it is an OPTIONS that is no operation of its own, which does nothing and needs no key."""
        return self.operation is None and self.request.method == b"OPTIONS"


class _Host(NamedTuple):
    """What answers at one base URL."""

    secure: bool
    base_path: str
    routes: Routes


class Reader:
    """Reads requests as they are received at the base URLs of a policy."""

    def __init__(self, policy: Policy, operations: tuple[Operation, ...]) -> None:
        self._presentation = Presentation(policy.keys)
        urls = {environment: urlsplit(url) for environment, url in _base_urls(policy).items()}
        routes = {path: Routes(path, operations) for path in {url.path for url in urls.values()}}
        self._hosts = {
            environment: _Host(url.scheme == "https", url.path.rstrip("/"), routes[url.path])
            for environment, url in urls.items()
        }
        self._usual = next(iter(self._hosts.values()))

    def base_path(self, environment: str | None) -> str:
        """Return the path of the base URL, without a slash at its end."""
        return self._hosts.get(environment, self._usual).base_path

    def read(self, request: Request) -> Reading:
        """Read a request; whatever its bytes are, there is a reading of it."""
        names, values = [], []
        for name, value in request.headers:
            names.append(name.lower())
            values.append(value)
        problem = problem_of(request, names, values)
        target: bytes | None = request.target
        if request.target[:1] != b"/":
            target = origin_form(request.target, request.method)
            if target is None and problem is None:
                problem = Cause.MALFORMED_REQUEST
        path, _, query = (target or b"").partition(b"?")
        secure, _, routes = self._hosts.get(request.environment, self._usual)
        place, filled = routes.find(path) or (None, ())
        operation = None if place is None else place.methods.get(request.method)
        presented = self._presentation.read(names, values, query)
        plaintext = secure and request.scheme != "https"
        clear = operation is not None and problem is None and not plaintext and presented.state == "key"
        return Reading(request, problem, presented, operation, path, place, filled, plaintext, clear)


def _base_urls(policy: Policy) -> Mapping[str | None, str]:
    """Return the base URL of each environment, or the one for all under None."""
    table = policy.base_url
    if table.dimension is None:
        return {None: table.value or ""}
    urls = {environment: table.lookup({Dimension.ENVIRONMENT: environment}) for environment in policy.environments}
    return {environment: url for environment, url in urls.items() if url is not None}
