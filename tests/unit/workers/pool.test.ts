import { beforeEach, describe, expect, test } from "@jest/globals";
import { type StartFailed, WorkerPool } from "../../../src/workers/pool.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { TestLog } from "../../support/test-log.ts";
import { ImaginedWorker } from "../../support/workers.ts";

const END_MS = 33_000;
const MINUTE = 60_000;

let clock: FakeClock;
let log: TestLog;
let forked: ImaginedWorker[];
let failures: StartFailed[];
/** What a new worker does. */
let begin: (worker: ImaginedWorker) => void;
let pool: WorkerPool;

beforeEach(() => {
  clock = new FakeClock();
  log = new TestLog();
  forked = [];
  failures = [];
  begin = (worker) => worker.serve();
  pool = new WorkerPool({
    size: 2,
    fork() {
      const worker = new ImaginedWorker(forked.length + 1);
      forked.push(worker);
      begin(worker);
      return worker;
    },
    endMs: () => END_MS,
    giveUp: (failure) => failures.push(failure),
    clock,
    log,
  });
});

const worker = (id: number): ImaginedWorker => {
  const found = forked[id - 1];
  if (!found) throw new Error(`There is no worker ${id}`);
  return found;
};

describe("start", () => {
  test("one worker goes ahead, the others follow together", async () => {
    begin = () => undefined;
    const starting = pool.start();
    await settle();
    expect(forked).toHaveLength(1);
    worker(1).serve();
    await settle();
    expect(forked).toHaveLength(2);
    worker(2).serve();
    expect(await starting).toMatchObject({ url: "http://worker-1" });
    expect(pool.serving).toBe(2);
  });

  test("when the first does not serve there is no second try, and its exit code is told", async () => {
    begin = (one) => one.end(2, "exit code 2");
    await expect(pool.start()).rejects.toMatchObject({ name: "StartFailed", exitCode: 2 });
    expect(forked).toHaveLength(1);
  });

  test("a worker that hangs while it starts is killed", async () => {
    begin = () => undefined;
    const starting = pool.start();
    starting.catch(() => undefined);
    await clock.advance(2 * MINUTE);
    expect(worker(1).told).toEqual(["kill"]);
    await expect(starting).rejects.toThrow("Worker 1 has ended before it served (SIGKILL)");
  });
});

describe("a worker that ends by itself", () => {
  beforeEach(() => pool.start());

  test("is replaced at once", async () => {
    worker(1).end();
    await settle();
    expect(forked).toHaveLength(3);
    expect(pool).toMatchObject({ serving: 2, deaths: 1 });
  });

  test("is replaced while it still ends, once", async () => {
    worker(1).leave();
    await settle();
    expect(forked).toHaveLength(3);
    worker(1).end(1, "exit code 1");
    await settle();
    expect(forked).toHaveLength(3);
    expect(pool.deaths).toBe(1);
  });

  test("is replaced ever more slowly when that happens again and again, until one lasts", async () => {
    const waits: number[] = [];
    for (let round = 0; round < 9; round++) {
      const before = forked.length;
      const since = clock.now();
      forked.at(-1)?.end();
      await settle();
      while (forked.length === before) await clock.advance(500);
      waits.push((clock.now() - since) / 1000);
    }
    expect(waits).toEqual([0, 1, 2, 4, 8, 16, 30, 30, 30]);
    expect(forked.at(-1)?.told).toEqual([]);
    await clock.advance(MINUTE);
    const before = forked.length;
    forked.at(-1)?.end();
    await settle();
    expect(forked).toHaveLength(before + 1);
  });

  test("three times in a row before it serves, and no more are started", async () => {
    begin = (one) => one.end(1, "exit code 1");
    worker(1).end();
    await clock.advance(10 * MINUTE);
    expect(forked).toHaveLength(5);
    expect(failures).toMatchObject([{ exitCode: 1 }]);
    // The other one serves on until the server is stopped.
    expect(worker(2).told).toEqual([]);
  });

  test("twice before it serves, and then all is well", async () => {
    begin = (one) => (one.id < 5 ? one.end(1, "exit code 1") : one.serve());
    worker(1).end();
    await clock.advance(10 * MINUTE);
    expect(pool.serving).toBe(2);
    expect(failures).toEqual([]);
  });
});

describe("renew", () => {
  beforeEach(() => pool.start());

  test("one by one, each old one is asked to retire once its successor serves", async () => {
    begin = () => undefined;
    worker(1).obeys = false;
    const renewing = pool.renew();
    await settle();
    expect(forked).toHaveLength(3);
    expect(worker(1).told).toEqual([]);
    worker(3).serve();
    await settle();
    expect(worker(1).told).toEqual(["retire"]);
    expect(forked).toHaveLength(3);
    worker(1).end(0, "exit code 0");
    await settle();
    expect(forked).toHaveLength(4);
    worker(4).serve();
    await renewing;
    expect(worker(2).told).toEqual(["retire"]);
    expect(pool).toMatchObject({ serving: 2, deaths: 0 });
    expect(log.at("info")).toContain("All workers have been replaced");
  });

  test("a successor that does not serve ends it, and the others serve on", async () => {
    begin = (one) => (one.id === 3 ? one.serve() : one.end(2, "exit code 2"));
    await pool.renew();
    expect(worker(1).told).toEqual(["retire"]);
    expect(worker(2).told).toEqual([]);
    expect(pool.serving).toBe(2);
    expect(log.at("error")).toEqual([expect.stringContaining("serve on")]);
  });

  test("one that dies while its successor starts is replaced once", async () => {
    begin = () => undefined;
    const renewing = pool.renew();
    await settle();
    worker(1).end();
    await settle();
    expect(forked).toHaveLength(4);
    for (const id of [3, 4]) worker(id).serve();
    await settle();
    worker(5).serve();
    await renewing;
    const serving = forked.filter(({ told, id }) => id > 2 && told.length === 0);
    expect(serving).toHaveLength(2);
    expect(pool.serving).toBe(2);
  });

  test("one that does not end in time is killed", async () => {
    worker(1).obeys = false;
    const renewing = pool.renew();
    await clock.advance(END_MS);
    expect(worker(1).told).toEqual(["retire", "kill"]);
    await renewing;
  });
});

describe("stop", () => {
  test("ends those that serve, that start and that are to be replaced, and starts no more", async () => {
    await pool.start();
    begin = () => undefined;
    const renewing = pool.renew();
    await settle();
    worker(2).end();
    await settle();
    await pool.stop();
    await renewing;
    await clock.advance(MINUTE);
    expect(forked).toHaveLength(4);
    expect(forked.map(({ told }) => told)).toEqual([["stop"], [], ["stop"], ["stop"]]);
    expect(failures).toEqual([]);
    expect(clock.sleeping).toBe(0);
  });

  test("one that did not hear of it while it started is told again", async () => {
    begin = (one) => {
      one.obeys = false;
    };
    const starting = pool.start();
    await settle();
    starting.catch(() => undefined);
    const stopping = pool.stop();
    worker(1).obeys = true;
    worker(1).serve();
    await stopping;
    expect(worker(1).told).toEqual(["stop", "stop"]);
    await expect(starting).rejects.toMatchObject({ name: "AbortError" });
    expect(forked).toHaveLength(1);
  });

  test("one that hangs is killed, and told of", async () => {
    await pool.start();
    worker(2).obeys = false;
    const stopping = pool.stop();
    stopping.catch(() => undefined);
    await clock.advance(END_MS);
    expect(worker(2).told).toEqual(["stop", "kill"]);
    await expect(stopping).rejects.toThrow("worker 2: SIGKILL");
  });
});
