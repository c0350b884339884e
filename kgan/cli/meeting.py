"""The workers of a run meet before TensorFlow starts, because TensorFlow would wait forever for a missing worker.

They connect to the first worker, the chief, over plain sockets and send lines of JSON. The chief checks that all were
asked to train the same, and sends its plan to the others.
"""

from __future__ import annotations

import contextlib
import json
import platform
import socket
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

from kgan import __version__
from kgan.cli.console import say
from kgan.cli.workers import Workers, host_and_port
from kgan.errors import Mistake

WAIT = 300.0  # seconds for all workers to connect: a cluster starts them one by one
DECLINE = 2.0  # seconds in which to decline: waiting workers try to connect twice a second
PACKAGES = ("tensorflow", "keras", "numpy")


def meet(workers: Workers, request: Mapping[str, Any], answer: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Wait until all workers have connected, compare their requests, and share the chief's answer.

    Args:
        request: what this worker was asked to train; it must be the same for all workers.
        answer: the answer for all workers; only the chief passes it.

    Returns:
        The answer.

    Raises:
        ValueError: if requests or versions differ, two workers have the same number, or the port is in use.
        TimeoutError: if a worker did not connect, or cannot be reached.
    """
    versions = {"kgan": __version__, **{name: version(name) for name in PACKAGES}, "python": platform.python_version()}
    mine = {"addresses": list(workers.addresses), **versions, **request}
    mine = json.loads(json.dumps(mine, default=str))
    port = host_and_port(workers.addresses[workers.number])[1]
    with _listening(port) as listener:
        if workers.is_chief:
            return _receive(workers, listener, mine, dict(answer or {}))
        return _join(workers, mine)


@contextlib.contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    try:
        listener = socket.create_server(("", port), backlog=128)
    except OSError as error:
        raise Mistake(f"port {port} of this worker cannot be used: {error.strerror or error}") from None
    with listener:
        yield listener


@contextlib.contextmanager
def declines(workers: Workers) -> Iterator[None]:
    """If the chief's planning, in the block, fails, tell the error to the workers that are already waiting."""
    try:
        yield
    except (ValueError, OSError) as error:
        if workers.are_several:
            _decline(workers, str(error))
        raise


def _decline(workers: Workers, sentence: str) -> None:
    end = time.monotonic() + DECLINE
    with contextlib.suppress(ValueError, OSError), _listening(host_and_port(workers.addresses[0])[1]) as listener:
        while (left := end - time.monotonic()) > 0:
            listener.settimeout(left)
            with listener.accept()[0] as connection:
                _read(connection, 1)
                connection.sendall(json.dumps({"error": sentence}).encode() + b"\n")


def _receive(
    workers: Workers, listener: socket.socket, mine: Mapping[str, Any], answer: dict[str, Any]
) -> dict[str, Any]:
    """The chief's part of a meeting."""
    expected = range(1, len(workers.addresses))
    came: dict[int, socket.socket] = {}
    end = time.monotonic() + WAIT
    say(f"worker 0 of {len(workers.addresses)} waits for the others, up to {WAIT / 60:.0f} minutes")
    with contextlib.ExitStack() as open_sockets:
        try:
            while missing := [number for number in expected if number not in came]:
                listener.settimeout(max(0.01, end - time.monotonic()))
                try:
                    connection = open_sockets.enter_context(listener.accept()[0])
                except TimeoutError:
                    which = f"worker{'s' * (len(missing) > 1)} {', '.join(map(str, missing))}"
                    raise TimeoutError(f"{which} did not come within {WAIT:.0f} seconds: start all of them") from None
                try:
                    theirs = _read(connection, 5)
                except (ValueError, OSError, RecursionError):
                    continue  # not a worker, or one that has disconnected
                number = theirs.pop("worker", None)
                if number not in expected:
                    continue
                if number in came:
                    came[-number] = connection  # it gets the error too
                    raise Mistake(f"two workers say that they are worker {number}: each has a --worker of its own")
                came[number] = connection
                _compare(number, theirs, mine)
            for number in expected:
                _reach(workers.addresses[number], number)
        except BaseException as error:
            answer = {"error": str(error) or "it was interrupted"}
            raise
        finally:
            for connection in came.values():
                with contextlib.suppress(OSError):  # it has disconnected
                    connection.sendall(json.dumps(answer, default=str).encode() + b"\n")
    return json.loads(json.dumps(answer, default=str))


def _join(workers: Workers, mine: Mapping[str, Any]) -> dict[str, Any]:
    """The part of every other worker."""
    address, end = workers.addresses[0], time.monotonic() + WAIT
    say(f"{workers} waits for worker 0 at {address}, up to {WAIT / 60:.0f} minutes")
    while True:
        try:
            connection = socket.create_connection(host_and_port(address), timeout=10)
            break
        except OSError as error:
            if time.monotonic() > end:
                reason = error.strerror or error
                raise TimeoutError(f"worker 0 cannot be reached at {address}: {reason}") from None
            time.sleep(0.5)
    with connection:
        try:
            connection.sendall(json.dumps({"worker": workers.number, **mine}).encode() + b"\n")
            answer = _read(connection, 2 * WAIT)  # worker 0 may just have begun to wait for others
        except TimeoutError:
            raise TimeoutError(f"worker 0 at {address} does not answer") from None
        except (OSError, ValueError, RecursionError):
            raise Mistake(
                f"at {address} there is no worker 0 that waits: if it is training already, end it, and start all of "
                "them together"
            ) from None
    if "error" in answer:
        raise Mistake(f"worker 0 says: {answer['error']}")
    return answer


def _compare(number: int, theirs: Mapping[str, Any], mine: Mapping[str, Any]) -> None:
    for name in dict.fromkeys([*mine, *theirs]):
        if theirs.get(name) != mine.get(name):
            raise Mistake(
                f"{name} is {theirs.get(name)} for worker {number}, but {mine.get(name)} for worker 0: start all of "
                "them with the same command and the same versions"
            )


def _reach(address: str, number: int) -> None:
    try:
        socket.create_connection(host_and_port(address), timeout=10).close()
    except OSError as error:
        raise TimeoutError(f"worker {number} came, but cannot be reached at {address}: {error}") from None


def _read(connection: socket.socket, seconds: float) -> dict[str, Any]:
    """Receive one line of JSON, within this number of seconds."""
    content, end = b"", time.monotonic() + seconds
    while not content.endswith(b"\n"):
        connection.settimeout(max(0.01, end - time.monotonic()))
        part = connection.recv(2**16)
        if not part or len(content) > 2**24 or time.monotonic() > end:
            raise Mistake("no line of JSON")
        content += part
    value = json.loads(content)
    if not isinstance(value, dict):
        raise Mistake("no JSON object")
    return value
