"""Manual pages, in the macros of man(7), from the same tables that command lines and configurations are read with.

Texts of those tables are plain, with `names` in backquotes; here they become bold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NAME = re.compile(r"`([^`]*)`")


@dataclass(frozen=True, slots=True)
class Item:
    """A switch, a key, a signal: what it is called, what it takes, what it means."""

    name: str
    meaning: str
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page: paragraphs, then items."""

    title: str
    paragraphs: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()
    is_sub: bool = False


def page(name: str, number: int, summary: str, sections: Iterable[Section]) -> str:
    """Write a page."""
    return "\n".join(
        [
            f'.TH {name.upper()} {number} "" "routed-flowcorr"',
            ".SH NAME",
            f"{name} \\- {_text(summary)}",
            *(line for section in sections for line in _section(section)),
            "",
        ]
    )


def _section(section: Section) -> Iterator[str]:
    yield f".{'SS' if section.is_sub else 'SH'} {_text(section.title)}"
    for number, paragraph in enumerate(section.paragraphs):
        yield from ([".PP"] if number else [])
        yield _line(paragraph)
    for item in section.items:
        yield ".TP"
        yield f"\\fB{_text(item.name)}\\fR" + (f" \\fI{_text(item.argument)}\\fR" if item.argument else "")
        yield _line(item.meaning)


def _line(text: str) -> str:
    line = _NAME.sub(lambda name: f"\\fB{name.group(1)}\\fR", _text(text))
    return f"\\&{line}" if line[:1] in {".", "'"} else line


def _text(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-")
