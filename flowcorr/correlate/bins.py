"""Time bins and flush times, by the wall clock of whoever asks.

A bin begins at a base, which the round-off chooses, and at every multiple of its length from there. Lengths in seconds,
minutes and hours are so many seconds; days, weeks and months follow the calendar, so that a day that has 23 hours
moves nothing. All times are seconds since 1970 unless their name says otherwise; `zone` is None for local time.

Departs: pmacct puts a record that starts exactly on an older boundary one bin too early, and counts days of a zone with
daylight saving as 86,400 seconds. Here a bin holds what starts in it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400
#: Lengths that are so many seconds, by their letter, and those that the calendar knows.
SECONDS: Final = {"s": 1, "m": MINUTE, "h": HOUR}
CALENDAR: Final = {"d": 1, "w": 7}
MONTH: Final = "M"
#: The longest bin: a round-off to the year has room for it. Units: seconds, days, months.
MAX_SECONDS: Final = 366 * DAY
MAX_DAYS: Final = 366
MAX_MONTHS: Final = 12


@dataclass(frozen=True, slots=True)
class Length:
    """How long a bin is: so many seconds, days or months; the others are 0."""

    seconds: int = 0
    days: int = 0
    months: int = 0

    @property
    def nominal(self) -> int:
        """Return about how many seconds it has, as names of files show it."""
        return self.seconds + self.days * DAY + self.months * 30 * DAY


def parse_length(text: str) -> Length:
    """Parse `#[s|m|h|d|w|M]`; a number alone is seconds.

    Raises: ValueError.
    """
    digits, unit = (text[:-1], text[-1]) if text and not text[-1].isdigit() else (text, "s")
    if not (digits.isascii() and digits.isdigit()) or int(digits) == 0:
        raise ValueError(f"{text} is no length of time")
    number = int(digits)
    if unit in SECONDS and number * SECONDS[unit] <= MAX_SECONDS:
        return Length(seconds=number * SECONDS[unit])
    if unit in CALENDAR and number * CALENDAR[unit] <= MAX_DAYS:
        return Length(days=number * CALENDAR[unit])
    if unit == MONTH and number <= MAX_MONTHS:
        return Length(months=number)
    if unit in SECONDS or unit in CALENDAR or unit == MONTH:
        raise ValueError(f"{text} is longer than a year")
    raise ValueError(f"{text} has a unit other than s, m, h, d, w and M")


def round_off(now: float, letters: str, zone: tzinfo | None) -> int:
    """Return the base that bins and flushes are counted from: seconds and the units of the letters `mhdwM` cut off."""
    wall = datetime.fromtimestamp(now, zone).replace(second=0, microsecond=0)
    if "m" in letters or "h" in letters:
        wall = wall.replace(minute=0)
    if "h" in letters or any(letter in letters for letter in "dwM"):
        wall = wall.replace(minute=0, hour=0)
    if "w" in letters:
        wall -= timedelta(days=(wall.weekday() + 1) % 7)
    if "d" in letters or "M" in letters:
        wall = wall.replace(day=1)
    if "M" in letters:
        wall = wall.replace(month=1)
    return int(wall.timestamp())


class Bins:
    """The bins of one plugin."""

    def __init__(self, length: Length, base: int, offset: int, zone: tzinfo | None) -> None:
        """Count bins of a length from `base`, all of them `offset` seconds earlier."""
        self.length = length
        self._base, self._offset, self._zone = base, offset, zone

    def around(self, when: float) -> tuple[int, int]:
        """Return where the bin of a time begins and where the next one does."""
        if self.length.seconds:
            base, seconds = self._base - self._offset, self.length.seconds
            start = base + (int(when // 1) - base) // seconds * seconds
            return start, start + seconds
        number = self._calendar_number(when + self._offset)
        while self._calendar_start(number) > when:
            number -= 1
        while self._calendar_start(number + 1) <= when:
            number += 1
        return self._calendar_start(number), self._calendar_start(number + 1)

    def before(self, start: int, bins: int) -> int:
        """Return where the bin begins that is so many before the one that begins at `start`."""
        for _ in range(bins):
            start, _end = self.around(start - 1)
        return start

    def _calendar_number(self, when: float) -> int:
        """Return about the number of a bin, counted from the base."""
        wall, base = self._wall(when), self._wall(self._base)
        if self.length.months:
            return ((wall.year - base.year) * 12 + wall.month - base.month) // self.length.months
        return (wall - base).days // self.length.days

    def _calendar_start(self, number: int) -> int:
        base = self._wall(self._base)
        if self.length.months:
            year, month = divmod(base.year * 12 + base.month - 1 + number * self.length.months, 12)
            wall = base.replace(year=year, month=month + 1, day=1, hour=0, minute=0)
        else:
            wall = base + timedelta(days=number * self.length.days)
        return int(wall.replace(tzinfo=self._zone).timestamp()) - self._offset

    def _wall(self, when: float) -> datetime:
        """Return what the clock on the wall shows, without its zone: days are counted on it."""
        return datetime.fromtimestamp(when, self._zone).replace(tzinfo=None)


class Deadlines:
    """When a plugin flushes: every `refresh` seconds from the base, all of it `delay` later."""

    def __init__(self, refresh: int, delay: int, base: int, now: float) -> None:
        self._refresh, self._base = refresh, base + delay
        self._patience = refresh + delay
        self.next = self._after(now + delay)

    def take(self, now: float) -> bool:
        """Tell whether a flush is due, and go on to the next one; those that a stall has missed are one."""
        is_due = now >= self.next
        if is_due or self.next > now + self._patience:  # else the clock was set back
            self.next = self._after(now)
        return is_due

    def _after(self, now: float) -> int:
        return self._base + (int((now - self._base) // self._refresh) + 1) * self._refresh
