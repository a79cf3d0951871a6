"""The functions that a cluster calls on a worker; they are sent there by value."""

from __future__ import annotations

from typing import Any


def call(source: str, name: str, args: Any) -> Any:
    """Call a function of the module that is given as text, made once in each process."""
    import hashlib
    import sys
    import types

    key = "_jstackmagic_worker_" + hashlib.sha256(source.encode()).hexdigest()[:16]
    if key not in sys.modules:
        module = types.ModuleType(key)
        exec(compile(source, key, "exec"), module.__dict__)  # noqa: S102
        sys.modules[key] = module
    return getattr(sys.modules[key], name)(*args)


def on_executor(source: str, name: str, args: Any) -> Any:
    """Call it in a task of Spark; yield the executor, as host and folder, and what it returned."""
    import os
    import socket

    from pyspark import BarrierTaskContext

    context = BarrierTaskContext.get()
    context.barrier()
    found = call(source, name, args)
    context.barrier()  # no executor is free for a second task before each has had its own
    yield f"{socket.gethostname()}/{os.path.basename(os.getcwd())}", found
