import { expect, test } from "@jest/globals";
import { ToolRegistry } from "../../../../src/core/assistant/tool-registry.ts";
import { echoTool } from "../../../support/tools.ts";

test("the model is told of the tools in their order, with the JSON Schema of their arguments", () => {
  const registry = new ToolRegistry([
    echoTool({ name: "b" }),
    echoTool({ name: "a", description: "Another." }),
  ]);
  expect(registry.names).toEqual(["b", "a"]);
  expect(registry.definitions.map(({ name, description }) => [name, description])).toEqual([
    ["b", "Repeats what it is told."],
    ["a", "Another."],
  ]);
  expect(registry.definitions[0]?.parameters).toEqual({
    type: "object",
    properties: { text: { type: "string" }, count: { type: "integer", minimum: 1, maximum: 9 } },
    additionalProperties: false,
  });
});

test("a tool is found by its name, and nothing else is", () => {
  const tool = echoTool();
  const registry = new ToolRegistry([tool]);
  expect(registry.find("echo")).toBe(tool);
  expect(registry.find("Echo")).toBeUndefined();
  expect(registry.find("__proto__")).toBeUndefined();
});

test("two tools can't share a name", () => {
  expect(() => new ToolRegistry([echoTool(), echoTool()])).toThrow("Two tools are named echo");
});
