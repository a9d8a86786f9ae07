// The layers: arrows point at the core, adapters do not know each other, only app.ts knows them all.
const adapters = "^src/(providers|tools|stores)/";
const drivers = "^(node:(http|https|net|fs|sqlite|child_process|dns)|(http|https|net|fs|child_process|dns)$)";

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "core-is-pure",
      comment: "The core knows no adapter, no transport, no generated code, no configuration.",
      severity: "error",
      from: { path: "^src/core/" },
      to: { path: "^(src|bots|scripts|migrations)/", pathNot: "^src/core/" },
    },
    {
      name: "core-has-no-driver",
      comment: "No network, file or database in the core, and no package but zod.",
      severity: "error",
      from: { path: "^src/core/" },
      to: { path: [drivers, "node_modules/(?!zod/)"] },
    },
    {
      name: "adapters-do-not-know-each-other",
      severity: "error",
      from: { path: "^src/(providers|tools|stores)/([^/]+)/" },
      to: { path: adapters, pathNot: "^src/$1/($2/|[^/]+\\.ts$)" },
    },
    {
      name: "adapters-know-the-core-only",
      severity: "error",
      from: { path: adapters },
      to: {
        path: "^(src|bots|scripts)/",
        pathNot: ["^src/core/", "^src/net/", "^src/(backup/ports|migrations/migration)\\.ts$", adapters],
      },
    },
    {
      name: "net-knows-the-core-only",
      severity: "error",
      from: { path: "^src/net/" },
      to: { path: "^(src|bots|scripts|migrations)/", pathNot: "^src/(core|net)/" },
    },
    {
      name: "transport-knows-the-core-only",
      severity: "error",
      from: { path: "^src/transport/" },
      to: { path: "^(src|bots|scripts|migrations)/", pathNot: "^src/(core|gen|transport)/" },
    },
    {
      name: "clients-know-the-contract-only",
      severity: "error",
      from: { path: "^(src/cli|bots)/" },
      to: {
        path: "^(src|scripts|migrations|bots)/",
        pathNot: [
          "^src/(gen/|config\\.ts|version\\.ts|open-sentry\\.ts)",
          "^src/observability/(fault-reporter|metrics/process-metrics)\\.ts",
          "^src/cli/",
          "^bots/",
        ],
      },
    },
    {
      name: "bots-are-no-command-lines",
      severity: "error",
      from: { path: "^bots/" },
      to: { path: "^src/cli/" },
    },
    {
      name: "what-bots-share-knows-no-platform",
      severity: "error",
      from: { path: "^bots/common/" },
      to: { path: ["^bots/(?!common/)", "node_modules/(grammy|@grammyjs)/"] },
    },
    {
      name: "only-app-composes",
      comment:
        "app.ts and the open-*.ts beside it compose; nothing but the programs' entry points imports them.",
      severity: "error",
      from: { pathNot: "^(src/(main|serve|app)\\.ts|bots/[a-z]+/main\\.ts|scripts/|tests/)" },
      to: { path: "^src/(app|open-[a-z]+)\\.ts$" },
    },
    {
      name: "nothing-imports-scripts",
      severity: "error",
      from: { pathNot: "^scripts/" },
      to: { path: "^scripts/" },
    },
    {
      name: "no-development-packages",
      comment: "What the server runs on is a dependency, not a development one.",
      severity: "error",
      from: { path: "^(src|bots|migrations)/" },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"] },
    },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(dist|coverage)/" },
    tsPreCompilationDeps: true,
    parser: "swc",
    enhancedResolveOptions: {
      extensions: [".ts", ".mjs", ".js", ".json"],
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default"],
      mainFields: ["module", "main"],
    },
  },
};
