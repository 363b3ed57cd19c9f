// Signed bundles, made by `rauc` and `openssl`, whose signer the server of a stack trusts.
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./process.js";

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** An authority and a signer. */
export class Signer {
  /** Makes one in `folder`. */
  static async create(folder) {
    mkdirSync(folder, { recursive: true });
    const openssl = (...args) => run("openssl", args, { cwd: folder });
    await openssl("req", "-x509", ...NEW_KEY, "-keyout", "ca.key", "-out", "keyring.pem", "-days", "30", "-subj", "/CN=authority");
    await openssl("req", ...NEW_KEY, "-keyout", "signer.key", "-out", "signer.csr", "-subj", "/O=Test/CN=signer");
    writeFileSync(join(folder, "extensions"), "basicConstraints=critical,CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=codeSigning\n");
    await openssl("x509", "-req", "-CA", "keyring.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "extensions",
      "-in", "signer.csr", "-out", "signer.pem");
    return new Signer(folder);
  }

  constructor(folder) {
    this.folder = folder;
    /** The certificate of the authority. */
    this.keyring = join(folder, "keyring.pem");
  }

  /** The path of a new bundle of this version. */
  async bundle(version, { bytes = 50_000 } = {}) {
    const content = mkdtempSync(join(this.folder, "content-"));
    writeFileSync(join(content, "rootfs.img"), randomBytes(bytes));
    writeFileSync(join(content, "manifest.raucm"), `[update]\ncompatible=microkernel-test\nversion=${version}\nbuild=20260101\n`
      + "description=A release of a test\n[bundle]\nformat=verity\n[image.rootfs]\nfilename=rootfs.img\n");
    const path = join(this.folder, `microkernel-${version}.raucb`);
    await run("rauc", ["--cert", join(this.folder, "signer.pem"), "--key", join(this.folder, "signer.key"), "bundle", content, path]);
    return path;
  }
}
