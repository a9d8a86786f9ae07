import { digest } from "../core/ids.ts";
import type { AppliedMigration, Migration } from "./migration.ts";

export interface MigrationStatus {
  readonly version: number;
  readonly name: string;
  readonly state: "applied" | "pending" | "edited" | "unknown";
  /** Milliseconds since the Unix epoch; absent when pending. */
  readonly appliedAt?: number;
}

/** SHA-256 of what was done to the database. The way back is not part of it: that may be mended later. */
export function checksum({ name, up }: Migration): string {
  return digest(name, JSON.stringify(up));
}

/** How each migration stands, those that a newer Parley applied included. */
export function statusOf(
  applied: readonly AppliedMigration[],
  migrations: readonly Migration[],
): MigrationStatus[] {
  const byVersion = new Map(applied.map((record) => [record.version, record]));
  const known = migrations.map((migration): MigrationStatus => {
    const { version, name } = migration;
    const record = byVersion.get(version);
    if (!record) return { version, name, state: "pending" };
    const state = isEdited(record, migration) ? "edited" : "applied";
    return { version, name, state, appliedAt: record.appliedAt };
  });
  const unknown = applied
    .filter(({ version }) => version > migrations.length)
    .map(({ version, name, appliedAt }): MigrationStatus => ({ version, name, state: "unknown", appliedAt }));
  return [...known, ...unknown.sort((a, b) => a.version - b.version)];
}

/** The newest version that was applied; 0 when none was. */
export function currentVersion(applied: readonly AppliedMigration[]): number {
  return Math.max(0, ...applied.map(({ version }) => version));
}

/**
 * Checks that what was applied is what these migrations say.
 *
 * @throws Error that says what to do about it.
 */
export function verifyHistory(
  applied: readonly AppliedMigration[],
  migrations: readonly Migration[],
  store: string,
): void {
  const current = currentVersion(applied);
  if (current > migrations.length) {
    throw new Error(
      `${store} has schema version ${current}, and this Parley knows only ${migrations.length}: it was written by a newer Parley. Start that one, or name another store (MONGO_URI, or DATA_DIR).`,
    );
  }
  const statuses = statusOf(applied, migrations);
  const edited = statuses.find(({ state }) => state === "edited");
  if (edited) {
    throw new Error(
      `Migration ${edited.version} (${edited.name}) is not the one that was applied to ${store}: its file was edited since. Put the file back as it was, and make the change a migration of its own.`,
    );
  }
  const missing = statuses.find(({ version, state }) => state === "pending" && version < current);
  if (missing) {
    throw new Error(
      `${store} has schema version ${current} without a record of migration ${missing.version} (${missing.name}): its table schema_migrations was changed by hand. Restore a backup.`,
    );
  }
}

/** The migrations to apply, in order. */
export function stepsUp<M extends Migration>(
  applied: readonly AppliedMigration[],
  migrations: readonly M[],
): M[] {
  return migrations.filter(({ version }) => version > currentVersion(applied));
}

/** The migrations to take back so that `to` becomes the version, in order. */
export function stepsDown<M extends Migration>(
  applied: readonly AppliedMigration[],
  migrations: readonly M[],
  to: number,
): M[] {
  const current = currentVersion(applied);
  return migrations.filter(({ version }) => version > to && version <= current).toReversed();
}

function isEdited(record: AppliedMigration, migration: Migration): boolean {
  return record.checksum !== undefined && record.checksum !== checksum(migration);
}
