import { randomBytes } from "node:crypto";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/**
 * What can happen to a connection:
 * - `refused`: it is reset as soon as it is made;
 * - `cut`: it breaks when the answer comes, of which nothing arrives;
 * - `stalled`: requests arrive, answers never do, and nothing is closed;
 * - `slow`: answers come a few bytes at a time;
 * - `truncated`: it is closed in the middle of an answer;
 * - `garbled`: random bytes come in place of an answer.
 */
export const TCP_FAULTS = ["refused", "cut", "stalled", "slow", "truncated", "garbled"] as const;

export type TcpFault = (typeof TCP_FAULTS)[number];

const SLOW = { bytes: 64, everyMs: 5 };

/** Stands between the server under test and something it uses, and does it harm. */
export class TcpProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #fault: TcpFault | undefined;
  /** Answers that met the present fault. */
  #met = 0;

  private constructor(port: number, host: string) {
    this.#server = createServer((client) => this.#join(client, port, host));
  }

  static async start(port: number, host = "127.0.0.1"): Promise<TcpProxy> {
    const proxy = new TcpProxy(port, host);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How often the present fault has struck. */
  get met(): number {
    return this.#met;
  }

  /** Connections that exist meet the fault too; `undefined` ends it, and those that it has harmed. */
  set fault(fault: TcpFault | undefined) {
    if (this.#fault === "stalled" || this.#fault === "slow" || fault === "refused") this.#cutAll();
    this.#fault = fault;
    this.#met = 0;
  }

  async close(): Promise<void> {
    this.#cutAll();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: Socket, port: number, host: string): void {
    if (this.#fault === "refused") {
      this.#met++;
      client.resetAndDestroy();
      return;
    }
    const server = connect(port, host);
    const cut = () => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        this.#sockets.delete(socket);
        // Whoever is stalled does not even learn that the other side has gone.
        if (socket === client || this.#fault !== "stalled") cut();
      });
    }
    client.on("data", (bytes) => server.write(bytes));
    server.on("data", (bytes) => this.#answer(bytes, client, server));
  }

  #answer(bytes: Buffer, client: Socket, server: Socket): void {
    if (this.#fault !== undefined) this.#met++;
    switch (this.#fault) {
      case undefined:
        client.write(bytes);
        break;
      case "refused":
      case "cut":
        client.resetAndDestroy();
        break;
      case "stalled":
        break;
      case "slow":
        void trickle(bytes, client, server);
        break;
      case "truncated":
        client.end(bytes.subarray(0, bytes.length / 2));
        break;
      case "garbled":
        client.write(randomBytes(bytes.length));
        break;
    }
  }
}

/** The bytes of one connection in their order: its source waits until they are out. */
async function trickle(bytes: Buffer, client: Socket, server: Socket): Promise<void> {
  server.pause();
  for (let from = 0; from < bytes.length && !client.destroyed; from += SLOW.bytes) {
    client.write(bytes.subarray(from, from + SLOW.bytes));
    await new Promise((resolve) => setTimeout(resolve, SLOW.everyMs));
  }
  server.resume();
}
