"""Scripts and models come as updates, too, and need no reboot."""

import io
import os
import tarfile

# What a device makes of an artifact: a folder of its repository.
REPOSITORIES = "/data/microkernel/artifacts"


def archive(folder, name, files):
    """A tar archive, which RAUC unpacks."""
    path = folder / f"{name}.tar"
    with tarfile.open(path, "w") as tar:
        # With the folder itself: its mode lets the services in.
        top = tarfile.TarInfo(".")
        top.type, top.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(top)
        for file, content in files.items():
            entry = tarfile.TarInfo(file)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return path


def test_a_script_and_a_model_become_active_without_a_reboot(device, server, workshop, deploy, tmp_path):
    boot, slots, environment = device.boot_id(), device.rauc_slots(), device.boot_environment()
    # Stand-ins: as small as a script that does nothing, as random as a model.
    script, model = b"\0asm\1\0\0\0", os.urandom(64 << 10)
    bundle = workshop.bundle(workshop.next_version(), {
        "scripts/smooth": archive(tmp_path, "smooth", {"smooth.wasm": script}),
        "models/anomaly": archive(tmp_path, "anomaly", {"anomaly.tflite": model}),
    })
    deployment = deploy(bundle)
    end = deployment.succeeded(600)
    assert "rebooting" not in deployment.states(end)
    assert device.check(f"od -An -tx1 {REPOSITORIES}/scripts/smooth/smooth.wasm").split() == [f"{byte:02x}" for byte in script]
    assert int(device.check(f"stat -L -c %s {REPOSITORIES}/models/anomaly/anomaly.tflite")) == len(model)
    for user, file in [("wasm", "scripts/smooth/smooth.wasm"), ("ml", "models/anomaly/anomaly.tflite")]:
        device.check(f"setpriv --reuid=microkernel-{user} --clear-groups cat {REPOSITORIES}/{file} >/dev/null")
    assert (device.boot_id(), device.boot_environment()) == (boot, environment), "the device was rebooted, or will boot otherwise"
    assert device.rauc_slots() == slots, "no slot was touched"
    assert "artifacts" in server.fleet.page(f"/devices/{device.id}")
