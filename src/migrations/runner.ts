import { hostname } from "node:os";
import type { Clock } from "../core/clock.ts";
import { systemClock } from "../system-clock.ts";
import type { AppliedMigration, Direction, Migration, MigrationTarget } from "./migration.ts";
import {
  checksum,
  currentVersion,
  type MigrationStatus,
  statusOf,
  stepsDown,
  stepsUp,
  verifyHistory,
} from "./plan.ts";

/** How long a run's lock outlives a run that crashed, in milliseconds. */
const LOCK_TTL_MS = 30_000;
/** How long a run waits for another's lock, in milliseconds: longer than for a crashed one's. */
const LOCK_WAIT_MS = 2 * LOCK_TTL_MS;
/** How often it looks, in milliseconds. */
const LOCK_POLL_MS = 200;

export interface MigrationRunnerOptions {
  readonly clock?: Clock;
  /** Is told what was done, one line each. */
  readonly report?: (line: string) => void;
}

export interface RunOptions {
  /** Only says what would be done. */
  readonly dryRun?: boolean;
}

/**
 * Brings a store's schema from version to version. Of several runs at the same time one works and the
 * others wait for it; a run that crashed stops holding them up when its lock expires.
 */
export class MigrationRunner<Change> {
  readonly #target: MigrationTarget<Change>;
  readonly #migrations: readonly Migration<Change>[];
  readonly #clock: Clock;
  readonly #report: (line: string) => void;

  /** @param migrations all of them, in the order of their versions. */
  constructor(
    target: MigrationTarget<Change>,
    migrations: readonly Migration<Change>[],
    { clock = systemClock, report = () => undefined }: MigrationRunnerOptions = {},
  ) {
    this.#target = target;
    this.#migrations = migrations;
    this.#clock = clock;
    this.#report = report;
  }

  async status(): Promise<MigrationStatus[]> {
    return statusOf(await this.#target.applied(), this.#migrations);
  }

  /** @throws Error that says what to do, unless the schema is one that this Parley has had. */
  async requireKnown(): Promise<void> {
    await this.#verified();
  }

  /** Whether there is a schema, and not all of it. @throws Error as `requireKnown` does. */
  async isOlder(): Promise<boolean> {
    const current = currentVersion(await this.#verified());
    return current > 0 && current < this.#migrations.length;
  }

  /** @throws Error that says what to do, unless the schema is the one that this Parley works with. */
  async requireCurrent(): Promise<void> {
    const applied = await this.#verified();
    const current = currentVersion(applied);
    if (current === this.#migrations.length) return;
    const cure = this.#target.backup
      ? "Run: make migrate-up (it makes a copy first)"
      : "Make a backup, then run: make migrate-up";
    throw new Error(
      `${this.#target.description} has schema version ${current}, and this Parley needs ${this.#migrations.length}. ${cure}`,
    );
  }

  /**
   * Applies what is pending.
   *
   * @returns what was applied, in order.
   * @throws Error when the history is not ours, or another run does not end.
   */
  async up({ dryRun = false }: RunOptions = {}): Promise<Migration<Change>[]> {
    return this.#run("up", (applied) => stepsUp(applied, this.#migrations), dryRun);
  }

  /**
   * Takes back what is newer than version `to`: by default, the newest one.
   *
   * @returns what was taken back, in order.
   * @throws RangeError when there is no such version; Error as `up` does.
   */
  async down({ to, dryRun = false }: RunOptions & { to?: number } = {}): Promise<Migration<Change>[]> {
    const current = currentVersion(await this.#verified());
    // Settled before the lock is waited for: two runs at the same time take one step back, not two.
    const version = to ?? Math.max(0, current - 1);
    if (version < 0 || version > current) {
      throw new RangeError(
        `There is no way down to version ${version}: ${this.#target.description} has schema version ${current}.`,
      );
    }
    return this.#run("down", (applied) => stepsDown(applied, this.#migrations, version), dryRun);
  }

  async #run(
    direction: Direction,
    plan: (applied: readonly AppliedMigration[]) => Migration<Change>[],
    dryRun: boolean,
  ): Promise<Migration<Change>[]> {
    const planned = plan(await this.#verified());
    if (dryRun || planned.length === 0) return planned;
    return this.#locked(async (stillLocked) => {
      // Read again: while this run waited, another may have done it all.
      const applied = await this.#verified();
      const steps = plan(applied);
      const last = steps.at(-1);
      if (last && applied.length > 0 && this.#target.backup) {
        const copy = await this.#target.backup(direction === "up" ? last.version : last.version - 1);
        this.#report(`A copy from before the change is in ${copy}`);
      }
      for (const migration of steps) {
        await stillLocked();
        const { version, name } = migration;
        const record = { version, name, checksum: checksum(migration), appliedAt: this.#clock.now() };
        await this.#target.apply(migration, direction, record);
        const done = direction === "up" ? "Applied" : "Took back";
        this.#report(`${done} migration ${version} (${name})`);
      }
      return steps;
    });
  }

  async #verified(): Promise<AppliedMigration[]> {
    const applied = await this.#target.applied();
    verifyHistory(applied, this.#migrations, this.#target.description);
    return applied;
  }

  /** Runs `work` while holding the lock, and keeps renewing it. */
  async #locked<T>(work: (stillLocked: () => Promise<void>) => Promise<T>): Promise<T> {
    const holder = `${hostname()}:${process.pid}:${crypto.randomUUID()}`;
    await this.#waitForLock(holder);
    const done = new AbortController();
    const renewing = this.#renew(holder, done.signal);
    try {
      return await work(async () => {
        if (await this.#lock(holder)) return;
        throw new Error("Another run has taken this run's lock over. Run it again: it goes on from here.");
      });
    } finally {
      done.abort();
      await renewing;
      // A lock that stays behind expires; what happened in `work` is what the caller must hear.
      await this.#target.unlock(holder).catch(() => undefined);
    }
  }

  async #waitForLock(holder: string): Promise<void> {
    const giveUpAt = this.#clock.now() + LOCK_WAIT_MS;
    // A clock's sleep does not keep the process alive, and nothing else may.
    const alive = setInterval(() => undefined, LOCK_WAIT_MS);
    try {
      while (!(await this.#lock(holder))) {
        if (this.#clock.now() >= giveUpAt) {
          throw new Error(
            `Another process has been changing the schema of ${this.#target.description} for ${LOCK_WAIT_MS / 1000} seconds. Wait until it has ended, then run this again.`,
          );
        }
        await this.#clock.sleep(LOCK_POLL_MS);
      }
    } finally {
      clearInterval(alive);
    }
  }

  async #renew(holder: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#clock.sleep(LOCK_TTL_MS / 3, signal);
        await this.#lock(holder);
      } catch {
        // Either the run has ended, or the next round tries again; the next step finds out whether it's lost.
      }
    }
  }

  #lock(holder: string): Promise<boolean> {
    const now = this.#clock.now();
    return this.#target.lock(holder, now, now + LOCK_TTL_MS);
  }
}
