"""What can go wrong between a question and its answer; each text says it to whoever asked."""


class LookingGlassError(Exception):
    """There is no answer."""


class NoAnswerError(LookingGlassError):
    """Nothing listens there, or nothing came back in time."""


class AccessError(LookingGlassError):
    """The server does not accept who we are."""


class GarbledError(LookingGlassError):
    """What came back is no answer of a looking glass."""


class RefusedError(LookingGlassError):
    """The server understood, and says why it does not answer."""
