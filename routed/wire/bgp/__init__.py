"""BGP messages (RFC 4271) and what extends them."""
