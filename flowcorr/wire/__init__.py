"""NetFlow, IPFIX and sFlow on the wire; knows the columns of a flow, keeps no state."""
