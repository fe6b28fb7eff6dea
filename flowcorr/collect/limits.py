"""What an exporter can make this program keep, and for how long."""

from typing import Final

#: Exporters known at a time.  Each costs about a row and half a kilobyte; the largest networks have some ten thousand.
MOST_EXPORTERS: Final = 65_536
#: An exporter that was silent for so long makes room for another one.
IDLE_US: Final = 300 * 1_000_000
#: How long nobody is looked for who makes room, after nobody was found.
LOOK_AGAIN_US: Final = 1_000_000
#: An exporter that was silent for so long is forgotten anyway, with its templates.
FORGET_US: Final = 24 * 3600 * 1_000_000

#: Templates of one exporter and domain.  Routers have a few dozen.
MOST_TEMPLATES: Final = 1024
#: Fields of all templates of one exporter and domain.
MOST_TEMPLATE_FIELDS: Final = 32_768
#: Fields of all templates of all exporters; equal templates of several exporters share their plan.
MOST_FIELDS_OF_ALL: Final = 2_000_000

#: A template that did not come again for so long makes room for another one of its exporter: routers send theirs every
#: half hour at the latest by default, and three times that is what RFC 7011 section 8.4 asks for.
TEMPLATE_LIFETIME_US: Final = 5400 * 1_000_000

#: Octets of records that wait for their template, of all exporters and of one.
MOST_PARKED_OCTETS: Final = 32 << 20
MOST_PARKED_OF_EXPORTER: Final = 1 << 20
#: They wait as long as routers take at most to send templates again by default.
PARKED_US: Final = 600 * 1_000_000

#: What options tell of interfaces, VRFs, applications and samplers, of all exporters: a thousand each of two thousand
#: routers. Each takes up to 96 octets, and its name.
MOST_FACTS_OF_ALL: Final = 2_000_000
#: How often the address that options tell of a sender as a whole may change: it is shown to all of its domains.
TOLD_AGAIN_US: Final = 10 * 1_000_000
#: Octets of a name that options give to an interface, a VRF or an application.
MOST_NAME_OCTETS: Final = 255
