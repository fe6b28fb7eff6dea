from flowcorr.columns._texts import Texts
from flowcorr.columns.layout import Layout
from flowcorr.correlate.aggregate import KeyPlan

class Keys:
    """How the rows of a layout become keys.

    Args:
        layout: of the rows; it has `record_type`.
        texts: where the texts of their columns are.
        plan: what a key consists of.

    Raises: ValueError for a plan that does not fit the layout.
    """

    octets: int  # of a key, a multiple of 8
    variants: int  # keys that a record counts for
    texts: Texts
    def __init__(self, layout: Layout, texts: Texts, plan: KeyPlan) -> None: ...
