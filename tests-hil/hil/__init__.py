"""The rig: the device under test, the server it talks to, and the bundles it is given."""

import logging

#: Told to the person who watches.
log = logging.getLogger("hil")
