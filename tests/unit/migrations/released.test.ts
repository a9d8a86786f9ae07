import { describe, expect, test } from "@jest/globals";
import { mongoMigrations } from "../../../migrations/mongo/index.ts";
import { sqliteMigrations } from "../../../migrations/sqlite/index.ts";
import type { Migration } from "../../../src/migrations/migration.ts";
import { checksum } from "../../../src/migrations/plan.ts";

// A released migration never changes: databases remember its checksum. A change is a new migration, and
// a new line here.
const released: [string, readonly Migration[], readonly string[]][] = [
  [
    "sqlite",
    sqliteMigrations,
    [
      "29f7cca1ca5e4eb0318626893dc76dd7a625346a5d15f0fe643f33d5acc55c2a",
      "b6b4b926d3fd7bef682f22579b1dd2a8e1e77408d14361cf190f58494902aecb",
      "c2c6332f14f7009effdc8820de68ab25c49a9a3050684cb339ecc0c2859141ab",
    ],
  ],
  [
    "mongo",
    mongoMigrations,
    [
      "d6eef77e6102c1b4b0d63f75d4fffdc9dfe8b99fd6b15af7f38051ece56cca27",
      "b87319f6a085fa7953aed0c21bf0c4197b4407f58bbd4c5e057f3954abe12dd5",
    ],
  ],
];

describe.each(released)("%s", (_, migrations, checksums) => {
  test("are numbered 1, 2, 3 …", () => {
    expect(migrations.map(({ version }) => version)).toEqual(
      migrations.map((_migration, index) => index + 1),
    );
  });

  test("those that were released are as they were", () => {
    expect(migrations.map(checksum)).toEqual(checksums);
  });

  test("are data that JSON keeps whole", () => {
    expect(JSON.parse(JSON.stringify(migrations))).toEqual(migrations);
  });
});
