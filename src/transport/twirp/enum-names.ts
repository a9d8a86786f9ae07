import { type EnumInfo, type IMessageType, listEnumValues } from "@protobuf-ts/runtime";
import { invalidArgument } from "../../core/errors.ts";

const LIST = new Intl.ListFormat("en-GB", { type: "disjunction" });

/**
 * The JSON reader of protobuf-ts can ignore unknown fields only together with unknown names of enums. A
 * field that is not known may be ignored; a value of one that is may not, since the answer would be to
 * another question.
 *
 * @param json a request, of whatever form.
 * @throws AppError `invalid_argument`, as handlers do for an unknown number.
 */
export function refuseUnknownEnumNames(type: IMessageType<object>, json: unknown): void {
  if (!isObject(json)) return;
  for (const field of type.fields) {
    const shape = field.kind === "map" ? field.V : field;
    if (shape.kind === "scalar") continue;
    for (const key of new Set([field.name, field.jsonName, field.localName])) {
      const value = json[key];
      const items = field.kind === "map" && isObject(value) ? Object.values(value) : [value].flat();
      if (shape.kind === "enum") checkNames(field.name, shape.T(), items);
      else for (const item of items) refuseUnknownEnumNames(shape.T(), item);
    }
  }
}

function checkNames(field: string, [, values, prefix = ""]: EnumInfo, items: readonly unknown[]): void {
  const all = listEnumValues(values);
  const known = new Set<unknown>(all.flatMap(({ name }) => [name, prefix + name]));
  if (items.every((item) => typeof item !== "string" || known.has(item))) return;
  // Zero stands for nothing said (proto3 language guide, "Enum Default Value").
  const names = all.filter(({ number }) => number !== 0).map(({ name }) => prefix + name);
  throw invalidArgument(field, `must be ${LIST.format(names)}`);
}

function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
