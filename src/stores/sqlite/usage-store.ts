import type { UsageDimension, UsageGroup, UsageQuery, UsageStore } from "../../core/ledger/usage-store.ts";
import { SUM_NAMES } from "../../core/ledger/usage-sums.ts";
import type { SqliteDatabase } from "./database.ts";

/** What a dimension groups by: names as in {@link UsageGroup}, and expressions over `usage_hours`. */
const GROUPED: Readonly<Record<UsageDimension, readonly (readonly [string, string])[]>> = {
  day: [["time", "hour - hour % 86400000"]],
  hour: [["time", "hour"]],
  model: [
    ["provider", "provider"],
    ["model", "model"],
  ],
  user: [
    ["platform", "platform"],
    ["userId", "user_id"],
  ],
  platform: [["platform", "platform"]],
  operation: [["operation", "operation"]],
};

const FILTERS: Readonly<Record<keyof UsageQuery["filter"], string>> = {
  model: "model",
  platform: "platform",
  userId: "user_id",
  operation: "operation",
};

/** The ledger of the embedded database, whose sums are kept by the transactions that write it. */
export class SqliteUsageStore implements UsageStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async sumUsage({ principal, from, to, groupBy, filter }: UsageQuery): Promise<UsageGroup[]> {
    const groups = new Map(groupBy.flatMap((dimension) => GROUPED[dimension]));
    const filters = Object.entries(filter).filter(([, value]) => value !== undefined);
    const conditions = filters.map(([name]) => `AND ${FILTERS[name as keyof typeof FILTERS]} = :${name}`);
    const columns = [
      ...[...groups].map(([name, expression]) => `${expression} AS "${name}"`),
      // A sum of costs may be more than a JavaScript number holds exactly.
      ...SUM_NAMES.map(([name, column]) =>
        name === "cost" ? `CAST(sum(cost) AS TEXT) AS cost` : `sum(${column}) AS "${name}"`,
      ),
    ];
    const text = `SELECT ${columns.join(", ")} FROM usage_hours
      WHERE principal = :principal AND hour >= :from AND hour < :to ${conditions.join(" ")}
      ${groups.size > 0 ? `GROUP BY ${[...groups.values()].join(", ")}` : ""}`;
    return this.#database.read((sql) => {
      const rows = sql(text).all({ principal, from, to, ...Object.fromEntries(filters) });
      // Without groups there is a row also when there is nothing to sum up.
      const found = rows.filter(({ calls }) => Number(calls) > 0);
      return found.map((row) => ({ ...row, cost: BigInt(String(row.cost)) }) as unknown as UsageGroup);
    });
  }

  async catchUp(): Promise<void> {}
}
