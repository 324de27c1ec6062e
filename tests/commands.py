"""What MongoDB was asked: for claims of how much something costs."""

from typing import Any

from pymongo.monitoring import CommandListener


class Commands(CommandListener):
    """Which commands were sent, by name and by collection."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.collections: list[tuple[str, Any]] = []

    def started(self, event: Any) -> None:
        self.names.append(event.command_name)
        self.collections.append((event.command_name, event.command.get(event.command_name)))

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...
