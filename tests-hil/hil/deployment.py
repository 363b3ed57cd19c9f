"""A release on its way to the device under test, as a person at the dashboard sees it."""

import requests

from . import log
from .fleet import FINAL


class Deployment:
    """Follows one. Every step that the server shows is told to the person who watches the tests."""

    def __init__(self, fleet, device, release):
        self.fleet, self.device = fleet, device
        self.first_boot = len(device.boots)
        self.id = fleet.deploy(device.id, release)
        self._told = 0

    def look(self):
        """The deployment now; None while the server is away."""
        try:
            now = self.fleet.deployment(self.device.id, self.id)
        except requests.ConnectionError:
            return None
        for entry in now["timeline"][self._told:]:
            log.info("%s: %s %s", entry["source"], entry["state"], "; ".join(entry["details"]))
        self._told = len(now["timeline"])
        return now

    def until(self, states, deadline_s=1500):
        """The deployment, once it is in one of these states."""
        def arrived():
            now = self.look()
            if now is None:
                return None
            assert now["state"] in states or now["state"] not in FINAL, f"{now['state']}: {self.text(now)}"
            return now if now["state"] in states else None

        return self.device.until(arrived, deadline_s, f"the deployment is not {' or '.join(sorted(states))}")

    def said(self, words, deadline_s):
        """Waits until something was said of it."""
        def heard():
            now = self.look()
            return now and words in self.text(now)

        self.device.until(heard, deadline_s, f"nobody says {words!r}")

    def succeeded(self, deadline_s=1500):
        """Waits for its success."""
        return self.until({"succeeded"}, deadline_s)

    def booted(self):
        """The slots that were booted since it began."""
        return self.device.slots(self.first_boot)

    @staticmethod
    def text(deployment):
        """All that was said, a line each."""
        return "\n".join(line for entry in deployment["timeline"] for line in entry["details"])

    @staticmethod
    def states(deployment):
        """The states that it went through, each once."""
        return list(dict.fromkeys(entry["state"] for entry in deployment["timeline"]))
