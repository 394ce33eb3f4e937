"""Lines of the protocol as bytes: requests written, answers read. `docs/protocol.md` is the spec.

Must never touch a socket: blocking and asynchronous callers share it.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .errors import Diagnostic, ProtocolError, Rejected

PROTOCOL_VERSION = 1
REQUEST_BYTES_MAX = 2 << 20
INTERNAL = "E0007"


def write_request(number: int, method: str, params: bytes) -> bytes:
    """One request line. Raises `Rejected` when the daemon would not read so long a line."""
    line = b'{"jsonrpc":"2.0","id":%d,"method":"%b","params":%b}\n' % (
        number,
        method.encode(),
        params,
    )
    if len(line) > REQUEST_BYTES_MAX:
        # The daemon could not say which request it refuses, for it would not read its id.
        message = "%s: the request has %d bytes, and the daemon reads %d"
        raise Rejected("E0005", message % (method, len(line), REQUEST_BYTES_MAX))
    return line


def write_params(params: Mapping[str, Any]) -> bytes:
    """Parameters as JSON, those that are None left out."""
    given = {name: value for name, value in params.items() if value is not None}
    return json.dumps(given, ensure_ascii=False, allow_nan=False).encode()


def write_hello(number: int, client: str) -> bytes:
    """The line that opens a conversation."""
    params = write_params({"protocol": PROTOCOL_VERSION, "client": client})
    return write_request(number, "hello", params)


def read_line(line: bytes) -> Dict[str, Any]:
    """An answer or a notification. Raises `ProtocolError`."""
    try:
        message = json.loads(line)
    except ValueError as error:
        raise ProtocolError("the daemon's line is not JSON: %s" % error) from None
    if not isinstance(message, dict):
        raise ProtocolError("the daemon's line is not an object: %.80r" % line)
    return message


def read_result(message: Mapping[str, Any]) -> Any:
    """The result of an answer. Raises `Rejected`."""
    error = message.get("error")
    if error is not None:
        raise read_refusal(error)
    return message.get("result")


def read_refusal(error: Mapping[str, Any]) -> Rejected:
    """The refusal in an answer, or in the end of a subscription."""
    data: Mapping[str, Any] = error.get("data") or error
    code = data.get("code")
    return Rejected(
        code if isinstance(code, str) else INTERNAL,
        str(data.get("message", "the daemon does not say why")),
        data.get("hint"),
        tuple(_diagnostic(place) for place in data.get("diagnostics", ())),
    )


def _diagnostic(place: Mapping[str, Any]) -> Diagnostic:
    return Diagnostic(place["line"], place["column"], place["message"], place.get("hint"))


class Lines:
    """Bytes as they come, cut into lines."""

    def __init__(self) -> None:
        self._pieces: List[bytes] = []

    def feed(self, data: bytes) -> List[bytes]:
        """The lines that `data` completes."""
        head, newline, tail = data.rpartition(b"\n")
        if not newline:
            self._pieces.append(data)
            return []
        whole = b"".join(self._pieces) + head
        self._pieces = [tail] if tail else []
        return whole.split(b"\n")


def check_hello(hello: Mapping[str, Any]) -> Tuple[int, str]:
    """Protocol and version of the daemon. Raises `ProtocolError` when it speaks another one."""
    protocol: Optional[int] = hello.get("protocol")
    version = str(hello.get("version", "unknown"))
    if protocol != PROTOCOL_VERSION:
        raise ProtocolError(
            "the daemon (version %s) speaks protocol %s, this client %d"
            % (version, protocol, PROTOCOL_VERSION)
        )
    return PROTOCOL_VERSION, version
