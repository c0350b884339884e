"""Where a run trains: on one device, on several of this machine, or with the workers that `TF_CONFIG` names."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kgan.errors import Mistake

if TYPE_CHECKING:
    from kgan._backend import tf
    from kgan.data import Batches

WAIT = 300.0  # seconds in which all workers must come
PARTS = 5  # that workers compare, at most


class Workers(NamedTuple):
    """The machines that train together; number 0 is the chief, which writes the files."""

    addresses: tuple[str, ...] = ()  # HOST:PORT of each; empty: this process trains alone
    number: int = 0  # which of them this is

    @property
    def is_chief(self) -> bool:
        return self.number == 0

    @property
    def options(self) -> tuple[str, ...]:
        """The options of `kgan train` that name them."""
        return ("--workers", ",".join(self.addresses), "--worker", str(self.number)) if self.addresses else ()

    def __str__(self) -> str:
        return f"worker {self.number} of {len(self.addresses)}"


def workers() -> Workers:
    """The workers that `TF_CONFIG` names; only chief and worker are jobs that kgan has."""
    text = os.environ.get("TF_CONFIG") or "{}"
    try:
        content = json.loads(text)
        cluster, task = content.get("cluster") or {}, content.get("task") or {}
        addresses = {job: [str(address) for address in listed] for job, listed in cluster.items()}
        kind, number = task.get("type"), int(task.get("index", 0))
    except (ValueError, TypeError, AttributeError):
        raise Mistake(f"TF_CONFIG cannot be read: {text[:100]}") from None
    if sum(map(len, addresses.values())) < 2:
        return Workers()
    for job in (*addresses, kind):
        if job not in ("chief", "worker"):
            raise Mistake(f"TF_CONFIG names a job {job}: kgan trains with chief and worker alone")
    chiefs = addresses.get("chief", [])
    number += len(chiefs) if kind == "worker" else 0
    return _checked([*chiefs, *addresses.get("worker", [])], number, "TF_CONFIG")


def tf_config(addresses: str, number: int | None) -> str:
    """The `TF_CONFIG` for "HOST:PORT,HOST:PORT" and the number of this worker."""
    if number is None:
        raise Mistake("--workers needs --worker as well: the number of this one, from 0")
    found = _checked([address.strip() for address in addresses.split(",")], number, "--workers")
    task = {"type": "worker", "index": found.number}
    return json.dumps({"cluster": {"worker": found.addresses}, "task": task})


def _checked(addresses: Sequence[str], number: int, source: str) -> Workers:
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise Mistake(f"the address of a worker is {address}: write it as HOST:PORT, such as 192.168.0.1:12345")
    if len(addresses) < 2:
        raise Mistake(f"{source} names one worker, {addresses[0]}: for a single machine leave it out")
    if twice := [address for address in addresses if addresses.count(address) > 1]:
        raise Mistake(f"{source} names {twice[0]} twice")
    if not 0 <= number < len(addresses):
        raise Mistake(f"this is worker {number}, but {source} names {len(addresses)}: they are counted from 0")
    return Workers(tuple(addresses), number)


def strategy(devices: int, settings: Mapping[str, Any]) -> tf.distribute.Strategy:
    """The strategy to build a model under, so that all workers, or `devices` of this machine, share each minibatch.

    Devices are GPUs, or parts of the CPU. TensorFlow fixes their number at its first use, so this comes before.
    """
    from kgan._backend import tf

    team, batch_size = workers(), settings["batch_size"]
    if team.addresses:
        if settings["precision"] == "auto":
            raise Mistake("precision is auto, which each worker would decide by itself: choose float32 or bfloat16")
        if devices > 1:
            raise Mistake(f"devices is {devices}, but workers take all their devices: leave it out")
        devices = _connected().num_replicas_in_sync
    if batch_size % devices:
        raise Mistake(f"batch_size is {batch_size}, which {devices} devices cannot share equally")
    if team.addresses:
        return _connected()
    return tf.distribute.get_strategy() if devices == 1 else tf.distribute.MirroredStrategy(_devices(devices))


def _devices(count: int) -> list[str]:
    from kgan._backend import tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus and count > len(gpus):
        raise Mistake(f"devices is {count}, but TensorFlow sees {len(gpus)} GPU{'s' * (len(gpus) > 1)}")
    if not gpus:
        (cpu,) = tf.config.list_physical_devices("CPU")
        try:
            tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
        except RuntimeError:
            raise Mistake(f"devices is {count}, but TensorFlow has begun with the CPU as one") from None
    return [f"{'GPU' if gpus else 'CPU'}:{number}" for number in range(count)]


@functools.cache
def _connected() -> tf.distribute.Strategy:
    """The strategy of all workers, as soon as they have come; TensorFlow can connect them once in a process."""
    from kgan._backend import tf

    def end() -> None:
        print(f"kgan: not all workers came within {WAIT / 60:.0f} minutes: start all of them again", flush=True)
        os._exit(1)  # TensorFlow's threads wait on

    timer = threading.Timer(WAIT, end)
    timer.daemon = True
    timer.start()
    made = tf.distribute.MultiWorkerMirroredStrategy()
    timer.cancel()
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))  # TensorFlow has replaced Python's handler
    return made


class Disagreement(Mistake):
    """What all workers have found out together."""


@contextlib.contextmanager
def telling_refusals() -> Iterator[None]:
    """If the block raises at one of several workers, the others hear of it, and do not wait for this one."""
    try:
        yield
    except Disagreement:
        raise
    except Exception:
        with contextlib.suppress(Mistake):
            if workers().addresses:
                _compare(_connected())
        raise


def agree(strategy: tf.distribute.Strategy, images: Batches | None = None, **parts: Any) -> None:
    """Compare what several workers will train; all must call it, or leave `telling_refusals` by an error."""
    import kgan
    from kgan._backend import keras, tf
    from kgan.data.checks import sha256

    if workers().addresses:
        versions = {"kgan": kgan.__version__, "keras": keras.__version__, "tensorflow": tf.__version__}
        if images:
            digests = [sha256(values) for values in (images.images, images.labels) if values is not None]
            parts["images"] = [images.batch_size, images.seed, *digests]
        _compare(strategy, versions=versions, **parts)


def _compare(strategy: tf.distribute.Strategy, **parts: Any) -> None:
    """Exchange digests of all parts; a worker without parts cannot train."""
    from kgan.training import workers as exchange

    own = np.zeros((1 + PARTS, 8), np.int32)
    own[0] = bool(parts)
    for place, part in enumerate(parts.values(), 1):
        text = json.dumps(part, sort_keys=True, default=str)
        own[place] = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.int32)
    of_all = exchange.gathered(strategy, own.ravel()).reshape(-1, 1 + PARTS, 8)
    for number, row in enumerate(of_all):
        if not row[0].all():
            raise Disagreement(f"worker {number} cannot train, as it says itself")
    for place, name in enumerate(parts, 1):
        for number, row in enumerate(of_all):
            if (row[place] != of_all[0, place]).any():
                raise Disagreement(f"worker {number} differs from worker 0 in its {name}: start all of them alike")


def is_loss(error: Exception) -> bool:
    """Whether this error of TensorFlow means that another worker was lost."""
    from kgan._backend import tf

    kinds = tf.errors
    if isinstance(error, (kinds.UnavailableError, kinds.AbortedError, kinds.DeadlineExceededError)):
        return True
    may_be = isinstance(error, (kinds.CancelledError, kinds.InternalError, kinds.FailedPreconditionError))
    words = "collective", "heartbeat", "coordination", "connect", "/task:"
    return may_be and any(word in str(error).lower() for word in words)
