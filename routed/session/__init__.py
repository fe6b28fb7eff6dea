"""The protocols as state machines: octets and time in, events and octets out."""
