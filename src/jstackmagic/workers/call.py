"""The one function that every cluster calls on a worker; it is sent there by value."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
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
