"""Which build of the program this is."""

from importlib.metadata import PackageNotFoundError, version


def build() -> str:
    """Return the version of the program that is installed."""
    try:
        return version("routed-flowcorr")
    except PackageNotFoundError:
        return "(not installed)"
