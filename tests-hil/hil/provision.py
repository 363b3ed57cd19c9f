"""A device that has no hypervisor to take its identity from gets it over its console."""

import base64

# Where device-provision.service puts the same four (services/dist/usr/lib/microkernel/provision): name, place, mode, group. The
# certificate is the last: it is what the services wait for.
PLACES = [
    ("config", "/data/microkernel/config.d/50-provisioned.toml", "0644", "root"),
    ("ca.crt", "/var/lib/microkernel/identity/ca.crt", "0644", "root"),
    ("key", "/var/lib/microkernel/identity/device.key", "0640", "microkernel-identity"),
    ("crt", "/var/lib/microkernel/identity/device.crt", "0644", "root"),
]
# A terminal takes lines of this many characters.
CHUNK = 512


def over_the_shell(shell, config, identity):
    """Writes them, and restarts what reads them."""
    certificate = next(path for path in identity.glob("*.crt") if path.name != "ca.crt")
    files = {"config": config, "ca.crt": identity / "ca.crt", "key": certificate.with_suffix(".key"), "crt": certificate}
    for name, place, mode, group in PLACES:
        text = base64.b64encode(files[name].read_bytes()).decode()
        shell.run_check("rm -f /run/provision")
        for start in range(0, len(text), CHUNK):
            shell.run_check(f"echo {text[start:start + CHUNK]} >>/run/provision")
        shell.run_check(f"base64 -d /run/provision >{place}.new && chmod {mode} {place}.new && chgrp {group} {place}.new")
        shell.run_check(f"mv {place}.new {place} && sync {place}")
    shell.run_check("rm /run/provision && systemctl restart 'microkernel-*.service'", timeout=120)
