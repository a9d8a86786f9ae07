import { createHook } from "node:async_hooks";
import { type AddressInfo, createServer } from "node:net";

export interface Listener {
  readonly port: number;
  /** Connections that have come in. */
  readonly connections: number;
  close(): Promise<void>;
}

/**
 * Takes connections on a free port, counts them and closes them.
 *
 * @param host default: all addresses of this machine, IPv6 included where it has any.
 */
export async function startListener(host?: string, port = 0): Promise<Listener> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.on("error", () => undefined).destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** Counts the TCP connections that this process tries to make while `work` runs, wherever they lead. */
export async function attemptsDuring(work: () => Promise<unknown>): Promise<number> {
  let attempts = 0;
  const hook = createHook({
    init(_id, type) {
      if (type === "TCPCONNECTWRAP") attempts += 1;
    },
  }).enable();
  try {
    await work();
  } finally {
    hook.disable();
  }
  return attempts;
}
