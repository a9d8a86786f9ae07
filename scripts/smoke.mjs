// Starts the built server on a free port with fresh data, asks it one question, and looks at the answer.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const QUESTION = "Which holidays are next in Barcelona?";

const dataDir = mkdtempSync(join(tmpdir(), "parley-smoke-"));
const server = spawn(resolve("bin", "parley-server"), {
  // Where no .env is, and without this environment's settings: a server of its own, away from the user's stores.
  cwd: dataDir,
  env: { PORT: "0", DATA_DIR: dataDir },
  stdio: ["ignore", "pipe", "inherit"],
});
const timeout = setTimeout(() => server.kill("SIGKILL"), 60_000);

try {
  const url = await ready(server);
  const { conversation_id, reply } = await call(url, "StartConversation", { message: QUESTION });
  const { conversation } = await call(url, "DescribeConversation", { conversation_id });
  const [, answer] = conversation.messages;
  const tools = answer.tool_calls.map(({ name }) => name);
  if (answer.content !== reply || !tools.includes("get_holidays")) {
    throw new Error(`An answer made with get_holidays was expected, not: ${JSON.stringify(conversation)}`);
  }
  console.log(`> ${QUESTION}\n${reply}\n\nThe server works (tools used: ${tools.join(", ")}).`);
} catch (error) {
  console.error(`The smoke test failed: ${error.message}`);
  process.exitCode = 1;
} finally {
  clearTimeout(timeout);
  server.kill("SIGTERM");
  await new Promise((resolve) => (server.exitCode === null ? server.once("exit", resolve) : resolve()));
  rmSync(dataDir, { recursive: true, force: true });
}

async function ready({ stdout }) {
  for await (const line of createInterface({ input: stdout })) {
    const url = /ready at (http:\S+?)"/.exec(line)?.[1];
    if (url) return url;
  }
  throw new Error("the server stopped before it was ready");
}

async function call(url, method, request) {
  const response = await fetch(`${url}/twirp/acai.chat.ChatService/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  const body = await response.json();
  if (!response.ok) throw new Error(`${method} answered ${JSON.stringify(body)}`);
  return body;
}
