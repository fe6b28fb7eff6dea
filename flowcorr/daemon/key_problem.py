"""What is wrong with one key of a plugin."""


class KeyProblemError(ValueError):
    """A key that cannot be used: its name, and why."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(key, why)
        self.key, self.why = key, why
