"""Several machines: `kgan train --workers HOST:PORT,HOST:PORT --worker N` on each of them, or `TF_CONFIG`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from kgan.cli.console import debug, say
from kgan.errors import Mistake

if TYPE_CHECKING:
    from kgan._backend import tf
    from kgan.data import Batches

BEGIN = 300.0  # seconds that TensorFlow may take to connect the workers after they have met
LOST = 20_000  # milliseconds without a sign of life after which a worker is lost


class Workers(NamedTuple):
    """The machines that train together, and which of them this is.

    Attributes:
        addresses: HOST:PORT of each.
        number: the number of this machine, counted from 0. Number 0 is the chief.
    """

    addresses: tuple[str, ...] = ("localhost:0",)
    number: int = 0

    @property
    def is_chief(self) -> bool:
        return self.number == 0

    @property
    def are_several(self) -> bool:
        return len(self.addresses) > 1

    @property
    def options(self) -> tuple[str, ...]:
        """The options of `kgan train` that name them."""
        return ("--workers", ",".join(self.addresses), "--worker", str(self.number)) if self.are_several else ()

    def __str__(self) -> str:
        return f"worker {self.number} of {len(self.addresses)}"


def chosen(addresses: str | None, number: int | None) -> Workers:
    """The workers that the options name, or else `TF_CONFIG`, or else this process alone.

    Raises:
        ValueError: if they are not valid.
    """
    if addresses is None:
        if number is not None:
            raise Mistake(f"--worker is {number}: name all of them with --workers HOST:PORT,HOST:PORT")
        return _of_tf_config(os.environ.get("TF_CONFIG") or "{}")
    if number is None:
        raise Mistake("--workers needs --worker as well: the number of this one, from 0")
    return _checked([each.strip() for each in addresses.split(",")], number, "--workers")


def strategy(workers: Workers, batch_size: int) -> tf.distribute.Strategy:
    """The strategy to build a model under so that all workers train it.

    Call it after the workers have met, and before any other use of TensorFlow.

    Raises:
        ValueError: if the workers cannot share a minibatch equally.
    """
    from tensorflow.python.eager import context

    from kgan._backend import tf

    if batch_size % len(workers.addresses):
        raise Mistake(f"batch_size is {batch_size}, which {len(workers.addresses)} workers cannot share equally")
    task = {"cluster": {"worker": list(workers.addresses)}, "task": {"type": "worker", "index": workers.number}}
    os.environ["TF_CONFIG"] = json.dumps(task)
    # TensorFlow has no public way to set after how long a worker is lost; its default is minutes.
    job = context.coordination_config_pb2.CoordinatedJob(name="worker", num_tasks=len(workers.addresses))
    context.context().configure_coordination_service(
        "standalone",
        "/job:worker/replica:0/task:0",
        heartbeat_timeout_in_ms=LOST,
        coordinated_jobs=[job],
    )
    with _within(BEGIN, "a worker that had come has gone before training began"):
        made = tf.distribute.MultiWorkerMirroredStrategy()
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))  # TensorFlow has replaced Python's handler
    if batch_size % made.num_replicas_in_sync:
        raise Mistake(
            f"batch_size is {batch_size}, which {made.num_replicas_in_sync} devices of {len(workers.addresses)} "
            "workers cannot share equally"
        )
    return made


def check_same_images(strategy: tf.distribute.Strategy, batches: Batches) -> None:
    """Raise ValueError, on all workers, if one has other images than the chief. All workers must call it."""
    from kgan.training import workers
    from kgan.training.callback import Described

    first, *others = workers.gathered(strategy, Described(batches).description())
    for number, other in enumerate(others, 1):
        for name, value in first.items():
            if other.get(name) != value:
                raise Mistake(f"worker {number} has other images than worker 0: {name} differs")


def tells_of_loss(error: Exception) -> bool:
    """Whether this error of TensorFlow means that another worker was lost."""
    from kgan._backend import tf

    errors = tf.errors
    if isinstance(error, (errors.UnavailableError, errors.AbortedError, errors.DeadlineExceededError)):
        return True
    words = ("collective", "heartbeat", "coordination", "connect", "/task:")
    is_other = isinstance(error, (errors.CancelledError, errors.InternalError, errors.FailedPreconditionError))
    return is_other and any(word in str(error).lower() for word in words)


@contextlib.contextmanager
def ending_together(workers: Workers, then: str = "start all of them again") -> Iterator[None]:
    """End the process with a sentence if an error in the block means that another worker was lost."""
    try:
        yield
    except Exception as error:
        if workers.are_several and tells_of_loss(error) and not debug():
            end_at_once(f"a worker was lost, so {workers} ends; {then}")
        raise


def end_at_once(sentence: str) -> NoReturn:
    """End the process with a sentence, even if TensorFlow's threads still wait for something."""
    say(f"kgan: {sentence}", err=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def _of_tf_config(text: str) -> Workers:
    try:
        content = json.loads(text)
        cluster, task = content.get("cluster") or {}, content.get("task") or {}
        addresses = {job: [str(each) for each in listed] for job, listed in cluster.items()}
        kind, index = task.get("type"), int(task.get("index", 0))
    except (ValueError, TypeError, AttributeError):
        raise Mistake(f"TF_CONFIG cannot be read: {text[:100]}") from None
    if sum(map(len, addresses.values())) < 2:
        return Workers()
    for job in (*addresses, kind):
        if job not in ("chief", "worker"):
            raise Mistake(f"TF_CONFIG names a job {job}: kgan trains with chief and worker alone")
    chiefs = addresses.get("chief", [])
    number = index + (len(chiefs) if kind == "worker" else 0)
    return _checked([*chiefs, *addresses.get("worker", [])], number, "TF_CONFIG")


def _checked(addresses: Sequence[str], number: int, source: str) -> Workers:
    for address in addresses:
        host_and_port(address)
    if len(addresses) < 2:
        raise Mistake(f"{source} names one worker, {addresses[0]}: for a single machine leave it out")
    if len(set(addresses)) < len(addresses):
        raise Mistake(f"{source} names {next(a for a in addresses if addresses.count(a) > 1)} twice")
    if not 0 <= number < len(addresses):
        raise Mistake(f"this is worker {number}, but {source} names {len(addresses)}: they are counted from 0")
    return Workers(tuple(addresses), number)


def host_and_port(address: str) -> tuple[str, int]:
    """ "192.168.0.1:12345" → ("192.168.0.1", 12345)"""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise Mistake(f"the address of a worker is {address}: write it as HOST:PORT, such as 192.168.0.1:12345")
    return host, int(port)


@contextlib.contextmanager
def _within(seconds: float, sentence: str) -> Iterator[None]:
    """End the process with a sentence if the block, in which TensorFlow may wait forever, takes longer."""
    timer = threading.Timer(seconds, end_at_once, [sentence])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
