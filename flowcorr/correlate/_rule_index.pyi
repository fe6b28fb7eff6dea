class RuleIndex:
    """Rules by what they compare for equality; compiled code adds them and asks."""

    def __init__(self, stride: int) -> None: ...
