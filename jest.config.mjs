/** @type {import("jest").Config} */
export default {
  testEnvironment: "node",
  roots: ["<rootDir>/src", "<rootDir>/tests"],
  testMatch: ["**/*.test.ts"],
  extensionsToTreatAsEsm: [".ts"],
  transform: {
    "\\.ts$": [
      "@swc/jest",
      {
        jsc: {
          parser: { syntax: "typescript" },
          target: "es2024",
          experimental: { keepImportAttributes: true },
        },
        module: { type: "es6" },
        sourceMaps: "inline",
      },
    ],
  },
  coverageProvider: "v8",
  collectCoverageFrom: [
    "src/**/*.ts",
    "!src/gen/**",
    // Types alone: there is nothing in them to run.
    "!src/core/{clock,logger}.ts",
    "!src/core/chat/{conversation-store,session-store}.ts",
    "!src/core/model/{language-model,usage}.ts",
  ],
  coverageThreshold: { "src/core/": { lines: 95, branches: 95 } },
  testTimeout: 20_000,
};
