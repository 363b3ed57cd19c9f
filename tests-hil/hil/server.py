"""The real server, with its own database, broker and authority, on ports of its own."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import time

from .fleet import Fleet
from .source import IMAGES, target_dir

# The first start makes a database and an authority.
START_S, STOP_S = 180, 60


def free_ports(count):
    """Ports that nobody has at this moment, none twice."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


class Server:
    """microkernel-server with a data folder. The same ports after a restart, since the devices know them."""

    def __init__(self, data_dir, public_name, log_path):
        self.data_dir, self.public_name, self.log_path = data_dir, public_name, log_path
        self.program = target_dir() / "debug/microkernel-server"
        self.http_port, self.https_port, self.mqtt_port = free_ports(3)
        self.fleet = Fleet(f"http://127.0.0.1:{self.http_port}")
        self._process = None

    def start(self):
        """Starts it, and waits until it is ready."""
        pki = subprocess.run([IMAGES / "pki/make"], check=True, capture_output=True, text=True, timeout=60).stdout.strip()
        with open(self.log_path, "ab") as log:
            self._process = subprocess.Popen(
                [self.program, "serve", "--data-dir", self.data_dir, "--http", f"127.0.0.1:{self.http_port}",
                 "--https", f"127.0.0.1:{self.https_port}", "--mqtt-port", str(self.mqtt_port),
                 "--public-name", self.public_name, "--bundle-keyring", f"{pki}/ca.pem"],
                env=os.environ | {"NO_COLOR": "1"}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + START_S
        while not (self.data_dir / "endpoints.json").exists():
            code = self._process.poll()
            assert code is None and time.monotonic() < end, f"the server is not ready (exit code {code}): see {self.log_path}"
            time.sleep(0.1)

    def stop(self):
        """Asks it to end, and waits for that."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=STOP_S)
            raise
        finally:
            self._process = None
        assert code == 0, f"the server ended with exit code {code}: see {self.log_path}"

    def restart(self):
        """Stop and start."""
        self.stop()
        self.start()

    def issue(self, device_id, folder):
        """A device's certificate, its key and the authority's certificate, in a folder."""
        subprocess.run([self.program, "certificate", "issue", device_id, "--data-dir", self.data_dir, "--out", folder],
                       check=True, capture_output=True, timeout=60)
        return folder

    def device_configuration(self, device_id):
        """What a device has to know of this server, in TOML."""
        return (f'[device]\nid = "{device_id}"\n\n'
                f'[mqtt]\nhost = "{self.public_name}"\nport = {self.mqtt_port}\n\n'
                f'[update]\nserver = "https://{self.public_name}:{self.https_port}"\n')

    def substitute(self, release, bundle):
        """Has the server offer something else under the name of a release that it has verified, as one would that was broken into."""
        content = bundle.read_bytes()
        [[key]] = self.sql(f"SELECT key FROM releases WHERE id = {release}")
        (self.data_dir / "bundles/kept" / key).write_bytes(content)
        hashes = ", ".join(f"{name} = '{hashlib.new(name, content).hexdigest()}'" for name in ("sha256", "sha1", "md5"))
        self.sql(f"UPDATE releases SET size_bytes = {len(content)}, {hashes} WHERE id = {release}")

    def sql(self, query):
        """The rows that a query gives, each a list of text."""
        url = json.loads((self.data_dir / "endpoints.json").read_text())["postgres_url"]
        done = subprocess.run(["psql", "-X", "-At", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", query, url],
                              check=True, capture_output=True, text=True, timeout=60)
        return [line.split("\t") for line in done.stdout.splitlines()]
