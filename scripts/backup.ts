import { backupProgram } from "../src/backup/program.ts";
import { loadConfig } from "../src/config.ts";

const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort());

process.exitCode = await backupProgram(process.argv.slice(2), {
  config: loadConfig,
  stdout: process.stdout,
  stderr: process.stderr,
  now: Date.now,
  signal: stopping.signal,
});
