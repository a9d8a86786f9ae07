// The program of the thread that a Checkpointer starts: moves the log into the database each time it is told to.
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";

parentPort?.on("message", () => {
  try {
    checkpoint(String(workerData));
  } catch {
    // The next time, or SQLite itself when the log has grown long.
  }
  parentPort?.postMessage("done");
});

function checkpoint(path: string): void {
  // Opened anew each time: the last connection that is closed removes the log, and that is to be the server's.
  const file = pathToFileURL(path);
  // Makes none where it was removed.
  file.searchParams.set("mode", "rw");
  const database = new DatabaseSync(file);
  try {
    // Takes nobody's way, and leaves what it can't move yet (sqlite.org/pragma.html#pragma_wal_checkpoint).
    database.exec("PRAGMA wal_checkpoint(PASSIVE)");
  } finally {
    database.close();
  }
}
