"""The server's REST API, as its users have it."""

import html

import requests

# A bundle is uploaded, verified and stored while the call lasts.
CALL_S, UPLOAD_S = 30, 300

#: States of a deployment that nothing follows.
FINAL = {"succeeded", "failed", "rolled_back", "cancelled"}


class Refused(Exception):
    """The server says no, and why."""

    def __init__(self, response):
        self.status, self.detail = response.status_code, response.json().get("detail", "")
        super().__init__(f"{self.status}: {self.detail}")


class Fleet:
    """Devices, releases, deployments, commands."""

    def __init__(self, url):
        self.url = url
        self._session = requests.Session()

    def _call(self, method, path, timeout=CALL_S, **arguments):
        response = self._session.request(method, f"{self.url}{path}", timeout=timeout, **arguments)
        if 400 <= response.status_code < 500:
            raise Refused(response)
        response.raise_for_status()
        return response

    def page(self, path):
        """A page of the dashboard, with the characters that HTML writes otherwise."""
        return html.unescape(self._call("GET", path).text)

    def device(self, device_id):
        """A device; None while the server does not know it."""
        try:
            return self._call("GET", f"/api/v1/devices/{device_id}").json()
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def readings(self, device_id, sensor, limit=100):
        """A sensor's newest readings, the oldest first."""
        answer = self._call("GET", f"/api/v1/devices/{device_id}/telemetry", params={"sensor": sensor, "limit": limit})
        return answer.json()["readings"]

    def command(self, device_id, command, payload):
        """Sends a device a command."""
        return self._call("POST", f"/api/v1/devices/{device_id}/commands", json={"command": command, "payload": payload}).json()

    def upload(self, bundle):
        """Makes a release of a bundle; its id."""
        with open(bundle, "rb") as body:
            return self._call("POST", "/api/v1/releases", timeout=UPLOAD_S, data=body).json()["id"]

    def deploy(self, device_id, release):
        """Gives a device a release; the deployment's id."""
        return self._call("POST", f"/api/v1/devices/{device_id}/deployments", json={"release": release}).json()["id"]

    def deployment(self, device_id, deployment):
        """How far a deployment is, with its timeline."""
        return self._call("GET", f"/api/v1/devices/{device_id}/deployments/{deployment}").json()

    def cancel(self, device_id, deployment):
        """Cancels a deployment, whether the device agrees or not."""
        self._call("POST", f"/api/v1/devices/{device_id}/deployments/{deployment}/cancel", json={"force": True})

    def unfinished(self, device_id):
        """The ids of the deployments that are not over."""
        deployments = self._call("GET", f"/api/v1/devices/{device_id}/deployments").json()["deployments"]
        return [deployment["id"] for deployment in deployments if deployment["state"] not in FINAL]
