import { type ChildProcess, fork } from "node:child_process";
import { resolve } from "node:path";
import type { Order, Seen } from "../load/generator.ts";
import { NODE } from "./server.ts";

/** The load generator's process, as the harness sees it: one order at a time. */
export class LoadGenerator {
  readonly #process: ChildProcess;
  #answered: { resolve(seen: Seen): void; reject(error: Error): void } | undefined;

  constructor() {
    this.#process = fork(resolve(import.meta.dirname, "../load/generator.ts"), {
      execPath: NODE,
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      serialization: "advanced",
      detached: true,
    });
    this.#process.on("message", ({ seen, failed }: { seen?: Seen; failed?: string }) => {
      if (seen) this.#answered?.resolve(seen);
      else this.#answered?.reject(new Error(failed));
    });
    this.#process.on("exit", () => this.#answered?.reject(new Error("The load generator ended")));
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** @throws Error when the order could not be carried out at all; wrong answers are counted in what was seen. */
  run(order: Order): Promise<Seen> {
    return new Promise((resolve, reject) => {
      this.#answered = { resolve, reject };
      this.#process.send(order, (error) => error && reject(error));
    });
  }

  stop(): void {
    this.#process.kill("SIGKILL");
  }
}
