"""State of exporters: templates, sampling, sequence numbers; datagrams in, rows of flows out."""
