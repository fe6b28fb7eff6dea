"""What the `print` plugin is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from flowcorr.service.render import Output
from routed.plumbing.names import NameTemplate, Variable
from routed.plumbing.output_file import Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintSettings:
    """Where rows go, and what stands around them. Without a file they go to standard output."""

    name: str  # of the plugin
    output: Output = Output.FORMATTED
    file: NameTemplate | None = None
    append: bool = False
    latest: NameTemplate | None = None
    lock_file: Path | None = None
    empty_files: bool = False
    schema_file: Path | None = None
    markers: bool = False
    owner: Owner = Owner()  # noqa: RUF009 (frozen)
    zone: tzinfo | None = None
    refresh: int = 60
    history: int = 0
    post_tag: int = 0
    post_tag2: int = 0

    @property
    def values(self) -> Mapping[Variable, str]:
        """Return what the variables of names stand for that are the same in all of them."""
        return {
            Variable.REFRESH_TIME: str(self.refresh),
            Variable.HISTORY: str(self.history),
            Variable.POST_TAG: str(self.post_tag),
            Variable.POST_TAG2: str(self.post_tag2),
        }

    @property
    def names(self) -> tuple[NameTemplate | None, ...]:
        """Return the names with variables."""
        return self.file, self.latest
