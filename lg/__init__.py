"""The client side of the looking glass: a library (`client`, `broker`) and a command (`cli`)."""
