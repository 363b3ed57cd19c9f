// Simulated devices: hawkBit DDI clients that ask over HTTPS with a gateway's token and go on a step at a time.
import { readFileSync } from "node:fs";
import { request } from "node:https";

const WITHIN_MS = 20_000;
/** What a device says on its way, in order. */
const STEPS = ["downloading", "writing slot B", "rebooting into slot B"];

/** The devices of a stack; `fate` says of a device's number how its update ends: a reason where it fails. */
export class Devices {
  static async create(stack, count, fate = () => null) {
    const answer = await fetch(`${stack.url}/api/v1/gateway-token`, { method: "POST" });
    const { token } = await answer.json();
    const ca = readFileSync(stack.endpoints.ca_cert);
    const devices = Array.from({ length: count }, (_, number) => new Device(stack.endpoints.https, ca, token, number, fate(number)));
    for (const device of devices) await device.poll();
    return new Devices(devices);
  }

  constructor(devices) {
    this.devices = devices;
  }

  /** Lets every device that is at an update go one step. */
  async step() {
    for (const device of this.devices) await device.step();
  }

  /** Lets them go on, a step every `pauseMs`, until the returned function is called, which waits for the step's end. */
  run(pauseMs) {
    let going = true;
    const ended = (async () => {
      while (going) {
        await this.step();
        await new Promise((wake) => setTimeout(wake, pauseMs));
      }
    })();
    return () => {
      going = false;
      return ended;
    };
  }
}

class Device {
  constructor(https, ca, token, number, failure) {
    this.id = `bench-${String(number).padStart(3, "0")}`;
    this.base = `${https}/DEFAULT/controller/v1/${this.id}`;
    this.ca = ca;
    this.token = token;
    this.failure = failure;
    this.said = 0;
  }

  async poll() {
    return this.#ask("GET", this.base);
  }

  async step() {
    const { _links: links } = await this.poll();
    if (links.cancelAction) await this.#tell(links.cancelAction.href, "closed", "success", ["cancelled"]);
    const url = links.deploymentBase?.href.split("?")[0];
    if (!url) {
      this.said = 0;
      return;
    }
    if (this.said === 0) await this.#ask("GET", url);
    const step = STEPS[this.said];
    this.said += 1;
    if (step) await this.#tell(url, "proceeding", "none", [step]);
    else if (this.failure) await this.#tell(url, "closed", "failure", this.failure);
    else await this.#tell(url, "closed", "success", ["slot B runs the release"]);
  }

  #tell(url, execution, finished, details) {
    return this.#ask("POST", `${url}/feedback`, { status: { execution, result: { finished }, details } });
  }

  #ask(method, url, body) {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `GatewayToken ${this.token}`, accept: "application/hal+json" };
      if (body) headers["content-type"] = "application/json";
      const asked = request(url, { method, headers, ca: this.ca, timeout: WITHIN_MS }, (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (part) => { text += part; });
        answer.on("end", () => {
          if (answer.statusCode >= 300) reject(new Error(`${method} ${url}: ${answer.statusCode} ${text}`));
          else resolve(text ? JSON.parse(text) : null);
        });
      });
      asked.on("timeout", () => asked.destroy(new Error(`${method} ${url}: no answer`)));
      asked.on("error", reject);
      asked.end(body ? JSON.stringify(body) : undefined);
    });
  }
}
