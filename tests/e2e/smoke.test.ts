import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";
import { NODE } from "../support/server.ts";

test("make smoke tries the build, whatever the environment sets for the user's own server", async () => {
  const env = {
    ...process.env,
    WORKERS: "2",
    LOG_LEVEL: "silent",
    MONGO_URI: "mongodb://127.0.0.1:9/parley",
  };
  const { stdout } = await promisify(execFile)(NODE, ["scripts/smoke.mjs"], { env });
  expect(stdout).toContain("The server works (tools used: get_holidays).");
});
