"""The facts of flows: what a column is, where it lies in a row, and the rows of a batch; knows no protocol."""
