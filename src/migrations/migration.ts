/**
 * One numbered change of a store's schema.
 *
 * The change is data in the store's own terms (SQL text; a list of commands) and not a function, so that
 * its checksum is that of what is done to the database. A function's source text would not do: it changes
 * with the bundler, and does not show what the functions that it calls do.
 */
export interface Migration<Change = unknown> {
  /** 1, 2, 3 … without gaps. */
  readonly version: number;
  readonly name: string;
  /** Brings the schema from the version before to this one. It never changes once it was released. */
  readonly up: Change;
  /** Takes it back. */
  readonly down: Change;
}

/** What a store remembers of a migration that was applied to it. */
export interface AppliedMigration {
  readonly version: number;
  readonly name: string;
  /** Absent where an early version of Parley, which kept none, applied it. */
  readonly checksum?: string;
  /** Milliseconds since the Unix epoch. */
  readonly appliedAt: number;
}

export type Direction = "up" | "down";

/** A store whose schema has versions. */
export interface MigrationTarget<Change> {
  /** For messages: the kind of store and where it is, without credentials. */
  readonly description: string;
  /** What was applied, in any order. Changes nothing, not even in a store that holds nothing yet. */
  applied(): Promise<AppliedMigration[]>;
  /**
   * Makes the change and records or forgets it: all or nothing where the store has transactions; elsewhere
   * what was cut short can be done again.
   */
  apply(migration: Migration<Change>, direction: Direction, record: AppliedMigration): Promise<void>;
  /**
   * Takes the store's one lock, or renews it. A lock that has expired is free.
   *
   * @param now and `expiresAt`: milliseconds since the Unix epoch.
   * @returns whether `holder` has it now.
   */
  lock(holder: string, now: number, expiresAt: number): Promise<boolean>;
  unlock(holder: string): Promise<void>;
  /**
   * Copies a store that holds data aside, before its schema becomes `version`.
   *
   * @returns where the copy is.
   */
  backup?(version: number): Promise<string>;
}
