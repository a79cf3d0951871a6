"""One line of the history: a request, its environment, and the outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .environment import EnvironmentRef
from .plan import Outcome
from .request import Request

WHY = "why: "
"""The beginning of a note that has the user's reason for a request."""

Status = Literal["ok", "failed", "interrupted", "running", "planned", "found", "seen"]


@dataclass(frozen=True, slots=True)
class Context:
    """The origin of a request; every field is empty if unknown."""

    user: str = ""
    host: str = ""
    pid: int = 0
    process: str = ""  #: an identifier that a later process with the same ``pid`` does not have
    kernel: str = ""
    notebook: str = ""
    container: str = ""
    image: str = ""
    jstackmagic: str = ""
    #: the virtual packages by which conda chooses builds here (CEP 26): ``__cuda=12.4``
    virtual: tuple[str, ...] = ()
    cluster: str = ""  #: the kind and the address of the cluster whose workers it was done on


@dataclass(frozen=True, slots=True)
class Record:
    """One request, its environment, and its outcome."""

    id: str  #: ``TRANSACTION.STEP``; unique
    time: str  #: when it started, ISO 8601, UTC
    #: ``interrupted`` if a record was begun, never ended, and its process is gone; ``seen`` for a
    #: command that no request can express; its request is empty
    status: Status
    request: Request
    environment: EnvironmentRef
    engine: str = ""
    commands: tuple[str, ...] = ()  #: the command lines as shown, credentials masked
    context: Context = field(default_factory=Context)  #: the origin of the request
    #: what happened; None if it is planned, running or was interrupted
    outcome: Outcome | None = None
    undoes: str = ""  #: the id of the record, or of the whole transaction, that this one undid
    notes: tuple[str, ...] = ()  #: notes for exports and replays

    @property
    def transaction(self) -> str:
        """The part of the id that the requests of one cell share."""
        return self.id.rpartition(".")[0]
