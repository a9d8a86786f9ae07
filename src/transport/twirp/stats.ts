import type { RequestContext } from "../../core/context.ts";
import { invalidArgument } from "../../core/errors.ts";
import { formatUsd } from "../../core/ledger/money.ts";
import type { UsageService } from "../../core/ledger/usage-service.ts";
import type { UsageDimension, UsageGroup } from "../../core/ledger/usage-store.ts";
import type { UsageSums } from "../../core/ledger/usage-sums.ts";
import { MODEL_OPERATIONS } from "../../core/model/language-model.ts";
import * as pb from "../../gen/acai/stats/stats";
import type { Timestamp } from "../../gen/google/protobuf/timestamp";
import type { ServiceBinding } from "./router.ts";
import { toTimestamp } from "./timestamp.ts";

const DIMENSIONS: Readonly<Partial<Record<pb.Dimension, UsageDimension>>> = {
  [pb.Dimension.DAY]: "day",
  [pb.Dimension.HOUR]: "hour",
  [pb.Dimension.MODEL]: "model",
  [pb.Dimension.USER]: "user",
  [pb.Dimension.PLATFORM]: "platform",
  [pb.Dimension.OPERATION]: "operation",
};

/** Serves acai.stats.StatsService. */
export function bindStatsService(usage: UsageService): ServiceBinding {
  return {
    type: pb.StatsService,
    handlers: {
      async GetUsage(request: pb.GetUsageRequest, context: RequestContext): Promise<pb.GetUsageResponse> {
        const { rows, total, omittedRows, from, to } = await usage.getUsage(context, {
          from: request.from && toMs(request.from),
          to: request.to && toMs(request.to),
          groupBy: request.groupBy.map(readDimension),
          filter: {
            model: request.model || undefined,
            platform: request.platform || undefined,
            userId: request.userId || undefined,
            operation: readOperation(request.operation),
          },
        });
        return {
          rows: rows.map(toUsage),
          total: toUsage(total),
          omittedRows,
          from: toTimestamp(from),
          to: toTimestamp(to),
        };
      },
    },
  };
}

function readDimension(value: pb.Dimension): UsageDimension {
  const dimension = DIMENSIONS[value];
  if (dimension) return dimension;
  throw invalidArgument("group_by", "must be DAY, HOUR, MODEL, USER, PLATFORM or OPERATION");
}

function readOperation(text: string) {
  if (text === "") return undefined;
  const operation = MODEL_OPERATIONS.find((known) => known === text);
  if (operation) return operation;
  throw invalidArgument("operation", `must be ${MODEL_OPERATIONS.join(" or ")}`);
}

function toMs({ seconds, nanos }: Timestamp): number {
  return seconds * 1000 + Math.floor(nanos / 1_000_000);
}

function toUsage({ time, cost, ...usage }: UsageSums & Partial<UsageGroup>): pb.Usage {
  return {
    provider: "",
    model: "",
    platform: "",
    userId: "",
    operation: "",
    ...usage,
    time: time === undefined ? undefined : toTimestamp(time),
    costUsd: formatUsd(cost),
  };
}
