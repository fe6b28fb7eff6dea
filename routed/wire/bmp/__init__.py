"""BMP messages (RFC 7854), version 4 of them (draft-ietf-grow-bmp-tlv), and what extends both."""
