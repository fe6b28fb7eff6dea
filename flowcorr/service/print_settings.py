"""What the `print` plugin is told."""

from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from flowcorr.service.render import Output
from routed.plumbing.names import NameTemplate
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
