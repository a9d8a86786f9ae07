import { Counter, Histogram, type Registry } from "prom-client";

/** A value for each label, in the order of their names. */
type Values<Names extends readonly string[]> = { readonly [Index in keyof Names]: string };

export interface MeterOptions<Names extends readonly string[]> {
  readonly name: string;
  readonly help: string;
  readonly labels: Names;
  readonly registry: Registry;
}

/**
 * A counter that is cheap to count with. prom-client looks a child up by its labels' text with every count,
 * at half a microsecond each, and a turn counts some fifty times.
 */
export class Tally<const Names extends readonly string[]> extends Counter<string> {
  readonly #children: Children<Count>;

  constructor({ name, help, labels, registry }: MeterOptions<Names>) {
    super({ name, help, labelNames: labels, registers: [registry] });
    this.#children = new Children(labels, () => ({ value: 0 }));
  }

  /** The count for these labels: to be kept where it is needed often. */
  of(...values: Values<Names>): Count {
    return this.#children.of(values);
  }

  override async get() {
    const values = this.#children.all.map(({ labels, child }) => ({ labels, value: child.value }));
    return { ...(await super.get()), values };
  }
}

export interface Count {
  /** To be added to. */
  value: number;
}

/** A histogram that is cheap to observe with; see {@link Tally}. */
export class Timings<const Names extends readonly string[]> extends Histogram<string> {
  readonly #self: { readonly name: string; readonly help: string };
  readonly #bounds: readonly number[];
  readonly #children: Children<Timing>;

  /** @param bounds of the buckets, ascending. */
  constructor({ name, help, labels, registry }: MeterOptions<Names>, bounds: readonly number[]) {
    super({ name, help, labelNames: labels, buckets: [...bounds], registers: [registry] });
    this.#self = { name, help };
    this.#bounds = bounds;
    this.#children = new Children(labels, () => new Timing(bounds));
  }

  /** The distribution for these labels: to be kept where it is needed often. */
  of(...values: Values<Names>): Timing {
    return this.#children.of(values);
  }

  /** What prom-client asks a histogram for, be it for text or for {@link get}. */
  async getForPromString() {
    const values = this.#children.all.flatMap(({ labels, child }) => this.#lines(labels, child));
    return { ...this.#self, type: "histogram", aggregator: "sum", values };
  }

  #lines(sharedLabels: Labels, { buckets, sum }: Timing) {
    const { name } = this.#self;
    let count = 0;
    const lines = buckets.map((inBucket, index) => {
      count += inBucket;
      const le = this.#bounds[index] ?? "+Inf";
      return { labels: { le }, sharedLabels, value: count, metricName: `${name}_bucket` };
    });
    return [
      ...lines,
      { labels: {}, sharedLabels, value: sum, metricName: `${name}_sum` },
      { labels: {}, sharedLabels, value: count, metricName: `${name}_count` },
    ];
  }
}

export class Timing {
  readonly #bounds: readonly number[];
  /** How many there were in each, the last of them without a bound. */
  readonly buckets: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.buckets = Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let index = 0;
    for (const bound of this.#bounds) {
      if (value <= bound) break;
      index++;
    }
    this.buckets[index] = (this.buckets[index] ?? 0) + 1;
    this.sum += value;
  }
}

type Labels = Readonly<Record<string, string>>;

/** What is known of labels whose first values are those on the way here. */
interface Branch<Child> {
  readonly byNext: Map<string, Branch<Child>>;
  child?: Child;
}

/**
 * One for each combination of labels that was asked for; without labels the one that there is. They are found
 * value by value: a key made of all of them would be made, and hashed, with each look-up.
 */
class Children<Child> {
  readonly all: { readonly labels: Labels; readonly child: Child }[] = [];
  readonly #names: readonly string[];
  readonly #make: () => Child;
  readonly #root: Branch<Child> = { byNext: new Map() };

  constructor(names: readonly string[], make: () => Child) {
    this.#names = names;
    this.#make = make;
    if (names.length === 0) this.of([]);
  }

  of(values: readonly string[]): Child {
    let branch = this.#root;
    for (const value of values) {
      let next = branch.byNext.get(value);
      if (!next) {
        next = { byNext: new Map() };
        branch.byNext.set(value, next);
      }
      branch = next;
    }
    branch.child ??= this.#add(values);
    return branch.child;
  }

  #add(values: readonly string[]): Child {
    const child = this.#make();
    const labels = Object.fromEntries(this.#names.map((name, index) => [name, values[index] ?? ""]));
    this.all.push({ labels, child });
    return child;
  }
}
