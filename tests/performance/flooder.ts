import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";

/**
 * A program that does a server harm: `node flooder.ts <url> <slow connections> <oversize bodies>`. Its
 * last line is how many oversize bodies were answered with each status, as JSON; 0 is no answer.
 */
const [, , url = "", slowConnections, oversizeBodies] = process.argv;
const PATH = "/twirp/acai.chat.ChatService/StartConversation";
const BODY_BYTES = 4 * 1_048_576;
const CHUNK = Buffer.alloc(65_536, " ");

/** Sends its headers byte by byte, until the server has had enough. */
async function slowConnection(): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).on("error", () => undefined);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.resume().write(`POST ${PATH} HTTP/1.1\r\nhost: localhost\r\nx-slow: `);
  // Each at a pace of its own, as those of many machines.
  const dribble = setInterval(() => socket.write("x"), 400 + Math.random() * 200);
  await closed;
  clearInterval(dribble);
}

/** Sends a body that is too large, with its length or without, for as long as the server takes it. */
async function oversizeBody(announced: boolean): Promise<number> {
  const length = announced ? { "content-length": BODY_BYTES } : { "transfer-encoding": "chunked" };
  const headers = { "content-type": "application/json", ...length };
  const call = request(url + PATH, { method: "POST", agent: false, headers });
  const { promise: status, resolve } = Promise.withResolvers<number>();
  call.on("response", (response) => resolve(response.resume().statusCode ?? 0));
  call.on("error", () => resolve(0));
  call.on("close", () => resolve(0));
  for (let sent = 0; sent < BODY_BYTES && !call.destroyed; sent += CHUNK.length) {
    if (!call.write(CHUNK)) await Promise.race([once(call, "drain").catch(() => undefined), status]);
  }
  if (!call.destroyed) call.end();
  return status;
}

const slow = Array.from({ length: Number(slowConnections) }, slowConnection);
const bodies = Array.from({ length: Number(oversizeBodies) }, (_, index) => oversizeBody(index % 2 === 0));
const statuses: Record<number, number> = {};
for (const status of await Promise.all(bodies)) statuses[status] = (statuses[status] ?? 0) + 1;
await Promise.all(slow);
console.log(JSON.stringify(statuses));
