// Running programs and waiting, each with a deadline.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const RUN_WITHIN_MS = 20_000;
const POLL_MS = 100;

/** Runs a program to its end; its failure is an error with what it said. */
export async function run(program, args, options = {}) {
  return promisify(execFile)(program, args, { timeout: RUN_WITHIN_MS, ...options });
}

/** Waits until `attempt` gives something true; what it throws is what was wrong when time runs out. */
export async function until(what, withinMs, attempt) {
  const deadline = Date.now() + withinMs;
  for (;;) {
    let reason = "not so";
    try {
      const result = await attempt();
      if (result) return result;
    } catch (error) {
      if (!["ENOENT", undefined].includes(error.code)) throw error;
      reason = error.message;
    }
    if (Date.now() > deadline) throw new Error(`after ${withinMs / 1000} s still not: ${what} (${reason})`);
    await new Promise((wake) => setTimeout(wake, POLL_MS));
  }
}
