import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** What a command has in it: a BSON field of its name, the collection as that field's value. */
type Parts = readonly string[];

interface Loss {
  readonly parts: Parts;
  readonly how: "cut" | "with_server" | "silently";
  /** What happens before the client can know of it. */
  readonly meanwhile?: () => Promise<unknown>;
}

/** A command whose client has been cut off before the server got it. */
interface Delay {
  readonly parts: Parts;
  /** It arrives before this one. */
  readonly before: Parts;
  /** Has it arrive, and resolves when it is done. */
  arrive?(): Promise<unknown>;
}

function partsOf(command: string, collection: string): Parts {
  return [`\x02${command}\0`, `\0${collection}\0`];
}

/** Stands between a client and the server, and loses what it is told to lose. */
export class MongoProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #losses: Loss[] = [];
  #delay: Delay | undefined;

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
    this.#losses.push({ parts: partsOf(command, collection), how, meanwhile });
  }

  /**
   * Cuts the connection of the next command of this name on this collection, which the server gets all the same,
   * but only when the client sends the one that is named `before`.
   */
  delay(command: string, collection: string, before: { command: string; collection: string }): void {
    this.#delay = {
      parts: partsOf(command, collection),
      before: partsOf(before.command, before.collection),
    };
  }

  /** The losses and delays that are still to come. */
  get pending(): number {
    return this.#losses.length + (this.#delay ? 1 : 0);
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
    client.on("data", async (bytes) => {
      const delay = this.#delay;
      if (delay && !delay.arrive && has(bytes, delay.parts)) {
        client.off("close", cut).destroy();
        delay.arrive = () => {
          server.write(bytes);
          return once(server, "data").finally(cut);
        };
        return;
      }
      if (delay?.arrive && has(bytes, delay.before)) {
        this.#delay = undefined;
        await delay.arrive();
      }
      const next = this.#losses[0];
      if (next && has(bytes, next.parts)) losing = this.#losses.shift();
      server.write(bytes);
    });
    server.on("data", (bytes) => {
      if (!losing) client.write(bytes);
      else if (losing.how === "with_server") this.close();
      else if (losing.how === "cut") void (losing.meanwhile?.() ?? Promise.resolve()).finally(cut);
    });
  }
}

function has(bytes: Buffer, parts: Parts): boolean {
  return parts.every((part) => bytes.includes(part));
}
