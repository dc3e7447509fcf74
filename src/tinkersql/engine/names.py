"""What the one model of a server is called: its own name, its folder's path, and aliases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tinkersql.engine.faults import OutsideVocabulary, UserFault


@dataclass(frozen=True)
class ModelNames:
    """The names that a server answers to.

    name: the model's own, written into runs and adapters. aliases: names of other models, for which this one stands in.
    folder: absolute; it serves as a name, too.
    """

    name: str
    aliases: tuple[str, ...]
    folder: Path

    @property
    def public(self) -> tuple[str, ...]:
        """All names but the folder's, the model's own first."""
        return (self.name, *self.aliases)

    @property
    def path(self) -> str:
        """The folder as the SDK's tokenizer loader takes it: the loader cuts names with exactly two slashes."""
        path = self.folder.as_posix()
        return f"{path}/" if path.count("/") == 2 else path

    def check(self, name: str) -> None:
        """Raise UserFault where this server serves no model of that name."""
        if name not in (*self.public, self.folder.as_posix(), self.path):
            raise UserFault(f"unknown base model {name!r}: this server serves {', '.join(self.public)}")

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Where tokens lie outside the vocabulary, say which model this really is if it has aliases."""
        try:
            yield
        except OutsideVocabulary as fault:
            if not self.aliases:
                raise
            aliases = " and ".join(self.aliases)
            verb = "are only aliases" if len(self.aliases) > 1 else "is only an alias"
            raise OutsideVocabulary(f"{fault}; {aliases} {verb} here, {self.name} is what runs") from fault
