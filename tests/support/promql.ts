import { parser } from "@prometheus-io/lezer-promql";

/** A metric that a query selects. */
export interface Selector {
  readonly name: string;
  /** What it must have: the labels it is selected by, and those that it is grouped by. */
  readonly labels: ReadonlySet<string>;
  /** Values that it is compared with by = and !=. */
  readonly values: readonly { readonly label: string; readonly value: string }[];
}

type Cursor = ReturnType<ReturnType<typeof parser.parse>["cursor"]>;
type SyntaxNode = Cursor["node"];

/** @throws Error when Prometheus could not parse the query. */
export function selectorsOf(query: string): Selector[] {
  const text = (node: SyntaxNode) => query.slice(node.from, node.to);
  const selectors: Selector[] = [];
  const { topNode } = parser.parse(query);
  if (hasError(topNode)) throw new Error(`No PromQL: ${query}`);
  const visit = (node: SyntaxNode, groupedBy: readonly string[]) => {
    if (node.name === "VectorSelector") {
      const matchers = all(node, "UnquotedLabelMatcher").map((matcher) => ({
        label: text(only(matcher, "LabelName")),
        operator: text(only(matcher, "MatchOp")),
        value: JSON.parse(text(only(matcher, "StringLiteral"))) as string,
      }));
      selectors.push({
        name: text(only(node, "Identifier")),
        labels: new Set([...groupedBy, ...matchers.map(({ label }) => label)]),
        values: matchers.filter(({ operator }) => operator === "=" || operator === "!="),
      });
    }
    const grouping = node.getChild("AggregateModifier") ?? node.getChild("MatchingModifierClause");
    const labels = grouping ? all(grouping, "LabelName").map(text) : [];
    for (const child of children(node)) visit(child, [...groupedBy, ...labels]);
  };
  visit(topNode, []);
  return selectors;
}

function hasError(node: SyntaxNode): boolean {
  return node.type.isError || children(node).some(hasError);
}

function children(node: SyntaxNode): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let child = node.firstChild; child; child = child.nextSibling) found.push(child);
  return found;
}

function all(node: SyntaxNode, name: string): SyntaxNode[] {
  return children(node).flatMap((child) => [...(child.name === name ? [child] : []), ...all(child, name)]);
}

function only(node: SyntaxNode, name: string): SyntaxNode {
  const [found, ...more] = all(node, name);
  if (!found || more.length > 0) throw new Error(`${node.name} has ${found ? "several" : "no"} ${name}`);
  return found;
}

/** What a server exposes: the values of each label by metric; no labels are known of one that has no sample yet. */
export type Exposed = ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>> | undefined>;

/** Reads Prometheus's text format, of several servers too; `recorded` are the records of rules, without labels. */
export function readExposition(text: string, recorded: readonly { record: string }[] = []): Exposed {
  const exposed = new Map<string, Map<string, Set<string>> | undefined>(
    recorded.map(({ record }) => [record, new Map()]),
  );
  for (const line of text.split("\n")) {
    const [, family, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (family) {
      const suffixes = type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
      for (const suffix of suffixes) exposed.set(family + suffix, exposed.get(family + suffix));
    }
    const [, name, labels = ""] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    if (!name) continue;
    const values = exposed.get(name) ?? new Map<string, Set<string>>();
    exposed.set(name, values);
    for (const [, label = "", value = ""] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      values.set(label, (values.get(label) ?? new Set()).add(value));
    }
  }
  return exposed;
}

/** Metrics of Prometheus's own, and labels that it gives to all. */
const PROMETHEUS: Exposed = new Map(
  Object.entries({ up: [], ALERTS: ["alertname", "alertstate", "severity"] }).map(([name, labels]) => [
    name,
    new Map(labels.map((label) => [label, new Set(["firing"])])),
  ]),
);
const TARGET_LABELS = new Set(["job", "instance"]);

/**
 * What is wrong with a query of these metrics: none of that name, or no such label, or a value that the
 * label does not have. Values with a variable of Grafana's in them are let pass.
 */
export function problemsOf(query: string, exposed: Exposed): string[] {
  return selectorsOf(query).flatMap(({ name, labels, values }) => {
    const metrics = PROMETHEUS.has(name) ? PROMETHEUS : exposed;
    if (!metrics.has(name)) return [`there is no metric ${name}`];
    const known = metrics.get(name);
    if (!known) return [`${name} has no sample to compare with`];
    return [
      ...[...labels]
        .filter((label) => !known.has(label) && !TARGET_LABELS.has(label))
        .map((label) => `${name} has no label ${label}`),
      ...values
        .filter(({ label, value }) => known.get(label)?.has(value) === false && !value.includes("$"))
        .map(({ label, value }) => `${label} of ${name} is never ${value}`),
    ];
  });
}
