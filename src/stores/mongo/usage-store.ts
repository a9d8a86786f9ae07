import { type Collection, type Document, type Filter, Long } from "mongodb";
import type { UsageDimension, UsageGroup, UsageQuery, UsageStore } from "../../core/ledger/usage-store.ts";
import { HOUR_MS, SUM_NAMES } from "../../core/ledger/usage-sums.ts";
import { type MongoDatabase, repeatable } from "./client.ts";
import { hourId, MongoLedger } from "./ledger.ts";
import { toBigInt, type UsageHourDocument, type UsageRowDocument } from "./usage-documents.ts";

/** Sums that are brought up to date in one go, when nobody asks for them. */
const BATCH = 1_000;

/** What a dimension groups by: names as in {@link UsageGroup}, and fields of {@link UsageHourDocument}. */
const GROUPED: Readonly<Record<UsageDimension, Readonly<Record<string, keyof UsageHourDocument>>>> = {
  day: { time: "day" },
  hour: { time: "hour" },
  model: { provider: "provider", model: "model" },
  user: { platform: "platform", userId: "user_id" },
  platform: { platform: "platform" },
  operation: { operation: "operation" },
};

/**
 * The ledger in MongoDB, read by sums for each hour that are made when they are asked for, or a while
 * after their hour.
 *
 * A document of sums has a version, counted up after each writing of rows that belong to it, and says
 * which version it sums up. It is summed up anew from the rows themselves: the version is read, then the
 * rows, so that the sums hold at least what that version stands for; and they are written only over those
 * of an earlier version. So no order of several processes, and no crash, makes sums that stay wrong.
 */
export class MongoUsageStore implements UsageStore {
  readonly #database: MongoDatabase;
  readonly #ledger: MongoLedger;
  readonly #rows: Collection<UsageRowDocument>;
  readonly #hours: Collection<UsageHourDocument>;

  constructor(database: MongoDatabase) {
    this.#database = database;
    this.#ledger = new MongoLedger(database);
    this.#rows = database.db.collection("usage");
    this.#hours = database.db.collection("usage_hours");
  }

  async sumUsage({ principal, from, to, groupBy, filter }: UsageQuery): Promise<UsageGroup[]> {
    const hours = { principal, hour: { $gte: new Date(from), $lt: new Date(to) } };
    await this.#ledger.enterAll();
    await this.#sumUp(hours);
    const { userId, ...filters } = filter;
    const grouped: Record<string, string> = Object.assign({}, ...groupBy.map((by) => GROUPED[by]));
    const found = await this.#aggregate(this.#hours, [
      { $match: { ...hours, ...filters, ...(userId !== undefined && { user_id: userId }) } },
      {
        $group: {
          _id: Object.fromEntries(Object.entries(grouped).map(([name, field]) => [name, `$${field}`])),
          ...Object.fromEntries(SUM_NAMES.map(([, name]) => [name, { $sum: `$${name}` }])),
        },
      },
    ]);
    return found.filter(({ calls }) => Number(calls) > 0).map(toGroup);
  }

  async catchUp(now: number, signal: AbortSignal): Promise<void> {
    await this.#ledger.enterAll(signal);
    // The hour that is not over yet would be summed up again and again.
    const over = { hour: { $lt: new Date(now - (now % HOUR_MS)) } };
    if (!signal.aborted) await this.#sumUp(over, BATCH);
  }

  /** Brings the sums up to date that are stale. `limit`: how many at most, 0 for all. */
  async #sumUp(filter: Filter<UsageHourDocument>, limit = 0): Promise<void> {
    const stale = await this.#database.read((signal) =>
      this.#hours
        .find({ ...filter, stale: true }, { signal })
        .project<Pick<UsageHourDocument, "_id" | "principal" | "hour" | "version">>({
          principal: 1,
          hour: 1,
          version: 1,
        })
        .limit(limit)
        .toArray(),
    );
    const byHour = Map.groupBy(stale, ({ principal, hour }) => JSON.stringify([principal, hour]));
    for (const [first, ...others] of byHour.values()) {
      if (first) await this.#sumUpHour(first, [first, ...others]);
    }
  }

  async #sumUpHour(
    { principal, hour }: Pick<UsageHourDocument, "principal" | "hour">,
    stale: readonly Pick<UsageHourDocument, "_id" | "version">[],
  ): Promise<void> {
    const next = new Date(hour.getTime() + HOUR_MS);
    const found = await this.#aggregate(this.#rows, [
      { $match: { principal, started_at: { $gte: hour, $lt: next } } },
      { $group: { _id: ROW_KEY, ...ROW_SUMS } },
    ]);
    const sums = new Map(
      found.map(({ _id, cost, ...counts }) => [
        hourId({ principal, hour: hour.getTime(), ..._id }),
        // A number would be written as a floating-point one.
        { ...counts, cost: Long.fromBigInt(toBigInt(cost)) },
      ]),
    );
    const updates = stale.flatMap(({ _id, version }) => [
      {
        updateOne: {
          filter: { _id, summed: { $lt: version } },
          update: { $set: { ...(sums.get(_id) ?? NONE), summed: version } },
        },
      },
      { updateOne: { filter: { _id, version }, update: { $unset: { stale: true as const } } } },
    ]);
    await this.#database.run((signal) => repeatable(() => this.#hours.bulkWrite(updates), signal));
  }

  #aggregate<T extends Document>(collection: Collection<T>, pipeline: Document[]): Promise<Document[]> {
    return this.#database.read((signal) => collection.aggregate(pipeline, { signal }).toArray());
  }
}

const ROW_KEY = {
  provider: "$provider",
  model: "$model",
  operation: "$operation",
  platform: { $ifNull: ["$platform", ""] },
  userId: { $ifNull: ["$user_id", ""] },
};

const NONE = Object.fromEntries(SUM_NAMES.map(([, name]) => [name, 0]));

const countIf = (condition: Document) => ({ $sum: { $cond: [condition, 1, 0] } });
const ofStatus = (status: UsageRowDocument["status"]) => countIf({ $eq: ["$status", status] });
const isMissing = (field: string) => countIf({ $eq: [{ $type: field }, "missing"] });

const ROW_SUMS = {
  calls: { $sum: 1 },
  failed: ofStatus("failed"),
  aborted: ofStatus("aborted"),
  interrupted: ofStatus("interrupted"),
  input_tokens: { $sum: "$usage.input_tokens" },
  cached_input_tokens: { $sum: "$usage.cached_input_tokens" },
  output_tokens: { $sum: "$usage.output_tokens" },
  reasoning_tokens: { $sum: "$usage.reasoning_tokens" },
  unknown_tokens: isMissing("$usage"),
  cost: { $sum: "$cost" },
  unknown_cost: isMissing("$cost"),
  duration_ms: { $sum: "$duration_ms" },
};

function toGroup({ _id: { time, ...group }, ...sums }: Document): UsageGroup {
  const counts = SUM_NAMES.map(([name, stored]) => [
    name,
    name === "cost" ? toBigInt(sums[stored]) : Number(sums[stored]),
  ]);
  return { ...group, ...(time && { time: time.getTime() }), ...Object.fromEntries(counts) };
}
