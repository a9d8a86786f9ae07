import type {
  AppliedMigration,
  Direction,
  Migration,
  MigrationTarget,
} from "../../../src/migrations/migration.ts";

/** A store in memory; several targets on one state are several processes. */
export interface FakeState {
  readonly records: Map<number, AppliedMigration>;
  /** What was done, in order. */
  readonly changes: string[];
  lock?: { holder: string; expiresAt: number };
}

export function fakeState(): FakeState {
  return { records: new Map(), changes: [] };
}

export class FakeTarget implements MigrationTarget<string> {
  readonly description = "The fake store";
  readonly backups: number[] = [];
  /** Runs in the middle of each change. */
  during: () => Promise<void> = async () => undefined;

  constructor(readonly state: FakeState) {}

  async applied(): Promise<AppliedMigration[]> {
    return [...this.state.records.values()];
  }

  async apply(migration: Migration<string>, direction: Direction, record: AppliedMigration): Promise<void> {
    await this.during();
    this.state.changes.push(migration[direction]);
    if (direction === "up") this.state.records.set(migration.version, record);
    else this.state.records.delete(migration.version);
  }

  async lock(holder: string, now: number, expiresAt: number): Promise<boolean> {
    const held = this.state.lock;
    if (held && held.holder !== holder && held.expiresAt > now) return false;
    this.state.lock = { holder, expiresAt };
    return true;
  }

  async unlock(holder: string): Promise<void> {
    if (this.state.lock?.holder === holder) this.state.lock = undefined;
  }

  async backup(version: number): Promise<string> {
    this.backups.push(version);
    return `copy-${version}`;
  }
}
