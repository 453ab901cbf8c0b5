"""What a process keeps of its tenants' files: least recently used first out, under a cap of bytes."""

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")
Key = tuple[uuid.UUID, str]


@dataclass(frozen=True)
class Sized(Generic[Value]):
    """Something and the bytes of memory it takes."""

    value: Value
    size: int


class ByteCache(Generic[Value]):
    """Values by tenant and hash. The tenant is part of the key: equal hashes of two tenants are two entries, each
    loaded with its own tenant's credentials. Safe for threads.
    """

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, Sized[Value]] = OrderedDict()
        self._size = 0
        self._loading: dict[Key, Future[Sized[Value]]] = {}

    @property
    def size(self) -> int:
        """Bytes kept, never more than `cap`."""
        return self._size

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, *, tenant_id: uuid.UUID, sha256: str, load: Callable[[], Sized[Value]]) -> Value:
        """What is kept, else what `load` gives. Who asks meanwhile waits for the one load, and gets its error too.

        An error is not kept; what is larger than the cap is given and not kept.
        """
        key = (tenant_id, sha256)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key].value
            under_way = self._loading.get(key)
            if under_way is None:
                mine = self._loading[key] = Future()
        if under_way is not None:
            return under_way.result().value
        return self._load(key, mine, load)

    def _load(self, key: Key, mine: "Future[Sized[Value]]", load: Callable[[], Sized[Value]]) -> Value:
        try:
            loaded = load()
        except BaseException as error:
            with self._lock:
                del self._loading[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._loading[key]
            self._keep(key, loaded)
        mine.set_result(loaded)
        return loaded.value

    def _keep(self, key: Key, loaded: Sized[Value]) -> None:
        if loaded.size > self.cap:
            return
        self._kept[key] = loaded
        self._size += loaded.size
        while self._size > self.cap:
            _, gone = self._kept.popitem(last=False)
            self._size -= gone.size
