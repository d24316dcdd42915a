"""Draws Vega-Lite as SVG: in this process, or in one that is there for it and already warm.

The renderer takes half a second to start and two hundredths for a chart, so processes that live for one notebook share
one that draws, whose address they are given. A drawing depends on its specification alone, so
where it is made makes no difference; where the process is gone, this one draws.
"""

import json
import os
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import vl_convert

VEGA_LITE = "5.21"
SECONDS_TO_DRAW = 60
DRAWN, REFUSED = b"+", b"-"
SMALLEST = '{"data": {"values": [{}]}, "mark": "point"}'

_lock = threading.Lock()
_address = ""
_drawer: "tuple[int, str, Connection] | None" = None


@dataclass(frozen=True)
class Drawing:
    """A chart of this package: its Vega-Lite specification, with its data inside. Jupyter shows it as a picture."""

    specification: dict[str, Any]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"image/svg+xml": drawn(self.specification), "text/plain": self.specification["description"]}


def drawn(specification: dict[str, Any]) -> str:
    """A specification as the renderer's SVG, whole. Raises ValueError where it cannot be drawn."""
    text = json.dumps(specification)
    if _address:
        with _lock, suppress(OSError, EOFError):
            return _drawn_elsewhere(_address, text)
    return draw(text)


def draw_at(address: str) -> None:
    """Have this process's charts drawn by the process that listens at this address."""
    global _address
    _address = address


def draw(specification: str) -> str:
    """The same, in this process, from JSON."""
    svg: str = vl_convert.vegalite_to_svg(specification, vl_version=VEGA_LITE, allowed_base_urls=[])
    return svg


def serve(listening: socket.socket, lifeline: int) -> None:
    """Draw what is asked for over a listening Unix socket, until the lifeline, a pipe's reading end, is at its end."""
    listening.setblocking(False)
    draw(SMALLEST)
    clients: list[Connection] = []
    while True:
        for ready in wait([listening, lifeline, *clients]):
            if ready == lifeline:
                return
            if isinstance(ready, Connection):
                if not _answer(ready):
                    clients.remove(ready)
                    ready.close()
            else:
                with suppress(OSError):  # another that draws was there first
                    client, _ = listening.accept()
                    client.setblocking(True)
                    clients.append(Connection(client.detach()))


def _answer(client: Connection) -> bool:
    """Draw for a client that asks; false where it is gone."""
    try:
        asked = client.recv_bytes().decode("utf-8")
        try:
            client.send_bytes(DRAWN + draw(asked).encode("utf-8"))
        except ValueError as error:
            client.send_bytes(REFUSED + str(error).encode("utf-8"))
    except (OSError, EOFError, UnicodeError):
        return False
    return True


def _drawn_elsewhere(address: str, text: str) -> str:
    connection = _connected(address)
    try:
        connection.send_bytes(text.encode("utf-8"))
        answer = connection.recv_bytes() if connection.poll(SECONDS_TO_DRAW) else b""
    except BaseException:
        _forget()
        raise
    if not answer:
        _forget()
        raise TimeoutError("no drawing came")
    said = answer[1:].decode("utf-8")
    if answer[:1] == REFUSED:
        raise ValueError(said)
    return said


def _connected(address: str) -> Connection:
    """The connection to the process that draws, kept for as long as this process lives."""
    global _drawer
    if _drawer is None or _drawer[:2] != (os.getpid(), address):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            client.connect(address)
        except OSError:
            client.close()
            raise
        _drawer = os.getpid(), address, Connection(client.detach())
    return _drawer[2]


def _forget() -> None:
    global _drawer
    if _drawer is not None:
        _drawer[2].close()
        _drawer = None
