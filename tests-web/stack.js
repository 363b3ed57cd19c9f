// A whole Microkernel on this machine, started by the demo in a temporary folder: server, broker, database, devices.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { run, until } from "./process.js";

const REPOSITORY = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "..");
const READY_WITHIN_MS = 120_000;
const END_WITHIN_MS = 60_000;

/** The folder of the built programs: MICROKERNEL_BIN_DIR, else the debug build's. */
export const PROGRAMS = process.env.MICROKERNEL_BIN_DIR
  ?? join(resolve(REPOSITORY, process.env.CARGO_TARGET_DIR ?? "target"), "debug");

/** What runs; `endpoints` is the demo's endpoints.json. */
export class Stack {
  static async start({ devices }) {
    const folder = mkdtempSync(join(tmpdir(), "mk-web-"));
    const demo = spawn(join(PROGRAMS, "microkernel-demo"), ["--devices", String(devices), "--dir", folder], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const stack = new Stack(folder, demo);
    try {
      await once(demo, "spawn");
      stack.endpoints = await until("the demo is ready", READY_WITHIN_MS, () => {
        if (demo.exitCode !== null) throw new Error(`the demo ended with ${demo.exitCode}:\n${stack.log}`);
        return JSON.parse(readFileSync(join(folder, "endpoints.json"), "utf8"));
      });
    } catch (error) {
      await stack.stop();
      throw new Error(`${error.message}\n${stack.log}`);
    }
    return stack;
  }

  constructor(folder, demo) {
    this.folder = folder;
    this.demo = demo;
    this.log = "";
    for (const stream of [demo.stdout, demo.stderr]) stream.on("data", (text) => { this.log += text; });
  }

  /** The dashboard's address. */
  get url() {
    return this.endpoints.http;
  }

  /** Publishes by a device's certificate, as any MQTT client could. */
  async publish(deviceId, channel, payload) {
    const { cert, key } = this.endpoints.devices.find((device) => device.id === deviceId);
    const [host, port] = this.endpoints.mqtts.split(":");
    await run("mosquitto_pub", ["-h", host, "-p", port, "--cafile", this.endpoints.ca_cert, "--cert", cert, "--key", key,
      "-q", "1", "-t", `devices/${deviceId}/${channel}`, "-m", JSON.stringify(payload)]);
  }

  /** Kills a program of the stack while whoever would start it again is paused; the result lets that go on. */
  kill(program, deviceId) {
    const pid = this.#child(program, deviceId);
    this.demo.kill("SIGSTOP");
    process.kill(pid, "SIGKILL");
    return () => this.demo.kill("SIGCONT");
  }

  /** The process id of a program that the demo started, for one device where there are several. */
  #child(program, deviceId) {
    const found = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).find((pid) => {
      try {
        const parent = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ")[1];
        const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
        return Number(parent) === this.demo.pid
          && basename(readlinkSync(`/proc/${pid}/exe`)) === program
          && (!deviceId || environment.includes(`DEVICE_ID=${deviceId}`));
      } catch {
        return false; // It ended meanwhile.
      }
    });
    if (!found) throw new Error(`the demo runs no ${program}${deviceId ? ` for ${deviceId}` : ""}`);
    return Number(found);
  }

  /** Ends everything. */
  async stop() {
    if (this.demo.exitCode === null && this.demo.pid) {
      const ended = once(this.demo, "exit");
      this.demo.kill("SIGCONT");
      this.demo.kill("SIGINT");
      const impatience = setTimeout(() => this.demo.kill("SIGKILL"), END_WITHIN_MS);
      await ended;
      clearTimeout(impatience);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
