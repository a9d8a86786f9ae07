import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

interface Loss {
  /** What the command has in it: a BSON field of its name, the collection as that field's value. */
  readonly parts: string[];
  readonly how: "cut" | "with_server" | "silently";
  /** What happens before the client can know of it. */
  readonly meanwhile?: () => Promise<unknown>;
}

/** Stands between a client and the server, and loses what it is told to lose. */
export class MongoProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #losses: Loss[] = [];

  private constructor(upstream: URL) {
    this.#server = createServer((client) => this.#join(client, upstream));
  }

  static async start(uri: string): Promise<MongoProxy> {
    const proxy = new MongoProxy(new URL(uri));
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  /** Where a client finds the server behind this. */
  uri(database: string): string {
    return `mongodb://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${database}?directConnection=true`;
  }

  /**
   * Cuts the connection when the answer comes to the next command of this name on this collection: it is
   * done, and its client does not know. Several losses meet commands in their order.
   *
   * @param how `with_server`: the server is out of reach from then on; `silently`: the connection stays, and
   *   nothing comes from it any more.
   * @param meanwhile what happens between the command and the cut.
   */
  loseAnswer(
    command: string,
    collection: string,
    how: Loss["how"] = "cut",
    meanwhile?: Loss["meanwhile"],
  ): void {
    this.#losses.push({ parts: [`\x02${command}\0`, `\0${collection}\0`], how, meanwhile });
  }

  /** The losses that are still to come. */
  get pending(): number {
    return this.#losses.length;
  }

  /** Cuts all connections, and takes no more. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: Socket, upstream: URL): void {
    const server = connect(Number(upstream.port), upstream.hostname);
    let losing: Loss | undefined;
    const cut = () => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", cut);
      socket.on("close", cut);
    }
    client.on("data", (bytes) => {
      const next = this.#losses[0];
      if (next?.parts.every((part) => bytes.includes(part))) losing = this.#losses.shift();
      server.write(bytes);
    });
    server.on("data", (bytes) => {
      if (!losing) client.write(bytes);
      else if (losing.how === "with_server") this.close();
      else if (losing.how === "cut") void (losing.meanwhile?.() ?? Promise.resolve()).finally(cut);
    });
  }
}
