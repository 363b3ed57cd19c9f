"""Bundles, good and bad: made from the image's own root filesystem, signed like images/build/bundle does."""

import hashlib
import itertools
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from .source import IMAGES, image_dir, read_env

# Making one takes a quarter of a minute; much more on a busy machine.
BUNDLE_S = 600


class Workshop:
    """Makes bundles for a machine. Each has a version of its own, later than the image's and than those before."""

    def __init__(self, machine, folder):
        self.image, self.folder = image_dir(machine), folder
        self.compatible = read_env(IMAGES / "machines" / f"{machine}.env")["COMPATIBLE"]
        self.pki = Path(self._output([IMAGES / "pki/make"]))
        self.signer = (self.pki / "signer.pem", self.pki / "signer.key", self.pki / "ca.pem")
        self._numbers = itertools.count(1)
        folder.mkdir(parents=True, exist_ok=True)

    def next_version(self):
        """Later than all before."""
        return f"9.0.{next(self._numbers)}"

    # -- root filesystems ------------------------------------------------------------------------------------------------

    def rootfs(self, version, changes=()):
        """A copy of the image's root filesystem that calls itself `version`, with changes: see remove(), write()."""
        copy = self.folder / f"rootfs-{version}.ext4"
        subprocess.run(["cp", "--sparse=always", self.image / "rootfs.ext4", copy], check=True, timeout=BUNDLE_S)
        release = self._output(["debugfs", "-R", "cat /usr/lib/os-release", copy])
        lines = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
        build = hashlib.sha256(f"{lines['BUILD_ID']} {version}".encode()).hexdigest()[:16]
        lines |= {"VERSION_ID": version, "IMAGE_VERSION": version, "BUILD_ID": build}
        text = "".join(f"{key}={value}\n" for key, value in lines.items())
        for change in [write("/usr/lib/os-release", text), *changes]:
            change(copy)
        return copy

    # -- bundles ---------------------------------------------------------------------------------------------------------

    def system(self, version=None, changes=(), **options):
        """A bundle with a whole system, of a version of its own."""
        version = version or self.next_version()
        rootfs = self.rootfs(version, changes)
        try:
            return self.bundle(version, {"rootfs": rootfs}, **options)
        finally:
            rootfs.unlink()

    def bundle(self, version, images, compatible=None, signer=None, adaptive=True):
        """A signed bundle of image files by the names of their slots, `rootfs`, or artifacts, `scripts/NAME`."""
        certificate, key, keyring = signer or self.signer
        path = self.folder / f"{version}.raucb"
        path.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder) as work:
            content = Path(work) / "content"
            content.mkdir()
            manifest = [f"[update]\ncompatible={compatible or self.compatible}\nversion={version}\n[bundle]\nformat=verity\n"]
            for name, image in images.items():
                file = f"{name.replace('/', '-')}{image.suffix}"
                (content / file).hardlink_to(image)
                manifest.append(f"[image.{name}]\nfilename={file}\n")
                if adaptive and name == "rootfs":
                    manifest.append("adaptive=block-hash-index\n")
            (content / "manifest.raucm").write_text("".join(manifest))
            self._rauc([certificate.parent], "bundle", f"--cert={certificate}", f"--key={key}", f"--keyring={keyring}",
                       "--mksquashfs-args=-comp zstd -Xcompression-level 1 -no-progress -quiet", content, path)
        return path

    def stranger(self):
        """A signer whom no device knows."""
        key, certificate = self.folder / "stranger.key", self.folder / "stranger.pem"
        self._output(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                      "-keyout", key, "-out", certificate, "-subj", "/CN=stranger", "-addext", "extendedKeyUsage=codeSigning"])
        return certificate, key, certificate

    def random_image(self, bytes_=1 << 20):
        """An image of noise, for bundles that nobody will install. Of nothing but zeros, RAUC would not sign it."""
        path = self.folder / "noise.ext4"
        with open("/dev/urandom", "rb") as noise:
            path.write_bytes(noise.read(bytes_))
        return path

    def close(self):
        """Removes what was made."""
        shutil.rmtree(self.folder)

    def _rauc(self, folders, *arguments):
        """The toolbox's rauc: the version that the device has."""
        self._output([IMAGES / "build/toolbox", "run", self.folder, self.image, self.pki, *folders, "--",
                      "rauc", f"--conf={self.image}/parts/etc/rauc/system.conf", *arguments], cwd=self.folder)

    @staticmethod
    def _output(command, **options):
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUNDLE_S, check=False, **options)
        assert done.returncode == 0, f"{shlex.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()


def _debugfs(image, *commands):
    """Edits an ext4 image. debugfs ends with 0 whatever happens, but is silent about what went well."""
    script = "".join(f"{command}\n" for command in commands)
    done = subprocess.run(["debugfs", "-w", "-f", "-", image], input=script, capture_output=True, text=True, timeout=60, check=False)
    complaints = [line for line in done.stderr.splitlines() if not line.startswith("debugfs 1.")]
    assert done.returncode == 0 and not complaints, "\n".join(complaints)


def remove(path):
    """A change: a file is missing."""
    def change(image):
        _debugfs(image, f"rm {path}")
    return change


def write(path, content, mode=0o644):
    """A change: a file has other content, text or bytes. Missing folders are made."""
    def change(image):
        data = content if isinstance(content, bytes) else content.encode()
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            folders = [str(parent) for parent in reversed(Path(path).parents) if str(parent) != "/"]
            missing = [folder for folder in folders if not _exists(image, folder)]
            if _exists(image, path):
                _debugfs(image, f"rm {path}")
            _debugfs(image, *(f"mkdir {folder}" for folder in missing), f"write {file.name} {path}",
                     f"set_inode_field {path} mode 0{0o100000 | mode:o}")
    return change


def _exists(image, path):
    done = subprocess.run(["debugfs", "-R", f"stat {path}", image], capture_output=True, text=True, timeout=60, check=True)
    return "Inode:" in done.stdout
