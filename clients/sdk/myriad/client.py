"""The client: one server, one API key."""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Self

from myriad.errors import ValidationFailed
from myriad.resources.annotations import Annotations
from myriad.resources.classes import Classes
from myriad.resources.exports import Exports
from myriad.resources.images import Images
from myriad.resources.imports import Imports
from myriad.resources.jobs import Jobs
from myriad.resources.keys import Keys
from myriad.resources.members import Invitations, Members
from myriad.resources.models import Models
from myriad.resources.projects import Projects
from myriad.resources.runs import Runs
from myriad.resources.snapshots import Snapshots
from myriad.resources.tenant import TenantResource
from myriad.retry import Retry
from myriad.transport import Pause, Transport


class Client:
    """What a tenant can do, by noun: `client.projects.create(…)`, `client.images.upload(…)`.

    `url` and `api_key` default to the environment's MYRIAD_URL and MYRIAD_API_KEY. Without a key only
    invitations can be accepted. `timeout` is in seconds, of one attempt. A client may be shared between
    threads; close it, or use it in a `with`.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 60.0,
        retry: Retry | None = None,
        pause: Pause = time.sleep,
    ) -> None:
        url = url or os.environ.get("MYRIAD_URL")
        if not url:
            raise ValidationFailed(
                "The address of the service is not known.",
                code="no_url",
                hint="Set MYRIAD_URL to it, for example https://myriad.example.com.",
            )
        self._transport = Transport(
            url=url,
            api_key=api_key or os.environ.get("MYRIAD_API_KEY"),
            retry=retry or Retry(),
            timeout=timeout,
            pause=pause,
        )
        self.projects = Projects(self._transport)
        self.classes = Classes(self._transport)
        self.jobs = Jobs(self._transport, pause)
        self.images = Images(self._transport, self.jobs, pause)
        self.annotations = Annotations(self._transport, self.projects, self.images, self.classes)
        self.snapshots = Snapshots(self._transport, self.jobs)
        self.exports = Exports(self._transport, self.jobs)
        self.imports = Imports(self._transport, self.jobs)
        self.runs = Runs(self._transport, pause)
        self.models = Models(self._transport, self.jobs)
        self.keys = Keys(self._transport)
        self.members = Members(self._transport)
        self.invitations = Invitations(self._transport)
        self.tenant = TenantResource(self._transport)

    @property
    def url(self) -> str:
        return self._transport.url

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()
