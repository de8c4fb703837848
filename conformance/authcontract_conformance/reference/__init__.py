"""The reference server: a correct implementation of any contract and specification, over real sockets."""

from ._call import Call, Identity, Outcome, Sight
from ._message import Answer, Message
from ._process import Options, serve
from ._seams import CORRECT, Seams
from ._server import Server

__all__ = [
    "CORRECT",
    "Answer",
    "Call",
    "Identity",
    "Message",
    "Options",
    "Outcome",
    "Seams",
    "Server",
    "Sight",
    "serve",
]
