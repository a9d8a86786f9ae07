import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { MongoDatabase } from "../../../src/stores/mongo/client.ts";
import { describeMongo, openTestDatabase, type TestDatabase } from "../../support/mongo.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";

const UNAVAILABLE = expect.objectContaining({ code: "unavailable" });

await describeMongo("The driver's monitor hangs", (server) => {
  let open: TestDatabase;
  let proxy: TcpProxy;
  let database: MongoDatabase;
  /** In the order in which they were made; that of the monitor is the client's first. */
  const sockets: Socket[] = [];
  const collect = (message: unknown) => void sockets.push((message as { socket: Socket }).socket);

  beforeEach(async () => {
    open = await openTestDatabase(server);
    const { hostname, port } = new URL(server.uri);
    proxy = await TcpProxy.start(Number(port), hostname);
    database = open.connect({
      uri: `mongodb://127.0.0.1:${proxy.port}/parley?directConnection=true`,
      timeoutMs: 300,
    });
    subscribe("net.client.socket", collect);
  });
  afterEach(async () => {
    unsubscribe("net.client.socket", collect);
    sockets.length = 0;
    await open.close();
    await proxy.close();
  });

  const ping = () => database.run(() => database.db.command({ ping: 1 }));

  async function serves(): Promise<void> {
    for (let tries = 0; tries < 30; tries++) {
      try {
        await ping();
        return;
      } catch (error) {
        expect(error).toEqual(UNAVAILABLE);
      }
    }
    throw new Error("The server is not found again");
  }

  test("the same client finds the server again", async () => {
    await ping();
    const [monitored] = sockets;
    let hung = false;
    database.client.once("serverHeartbeatStarted", () => {
      // The monitor writes next, and hears of the end only after that.
      monitored?.destroy();
      hung = true;
    });
    proxy.fault = "cut";
    await expect(ping()).rejects.toEqual(UNAVAILABLE);
    proxy.fault = undefined;

    await serves();
    expect(hung).toBe(true);
  });
});
