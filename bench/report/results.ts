import type { Spread } from "./statistics.ts";

/** What one contestant did in one round. Times are in milliseconds, unless their name says otherwise. */
export interface Sample {
  readonly operations: number;
  readonly errors: number;
  readonly firstError?: string;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** CPU time of the server's process for one operation, in microseconds. */
  readonly cpuUs?: number;
  /** The most memory that the server's process had resident, in MB. */
  readonly peakMb?: number;
  /** The share of the time that the load generator was on a CPU: near 1, it was the bound and not the server. */
  readonly generatorBusy?: number;
}

/** A contestant's rounds, in their order. */
export interface Series {
  readonly contestant: string;
  readonly samples: readonly Sample[];
}

/** Contestants that were measured in the same interleaved rounds. */
export interface Comparison {
  readonly title: string;
  readonly callers: number;
  /** What the figures are of, such as `turns`. */
  readonly unit: string;
  readonly series: readonly Series[];
  /** The contestant that the others' ratios are to. */
  readonly base: string;
}

/** A single figure, such as a start-up time. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly spread: Spread;
}

export interface Section {
  readonly id: string;
  readonly title: string;
  /** What was done, in a few sentences. */
  readonly text: string;
  readonly comparisons: readonly Comparison[];
  readonly figures: readonly Figure[];
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly system: string;
  readonly node: string;
  /** Runnable processes over the last minute when the run began: above the cores, others were at work. */
  readonly loadAverage: number;
  /** A write of 4 KB and fdatasync, where the servers keep their data, in milliseconds. */
  readonly syncMs: Spread;
}

export interface Results {
  readonly command: string;
  readonly date: string;
  readonly commit: string;
  readonly minutes: number;
  readonly machine: Machine;
  readonly sections: readonly Section[];
  /** Contestants that could not take part, and why. */
  readonly absent: readonly { readonly name: string; readonly reason: string }[];
  /** Turns that were acknowledged, and of those the ones that the store did not have afterwards. */
  readonly durability: readonly {
    readonly name: string;
    readonly acknowledged: number;
    readonly missing: number;
  }[];
}
