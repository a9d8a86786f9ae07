import { mongoBackupStores, openSqliteBackupStore } from "../support/backup-stores.ts";
import { describeMongo } from "../support/mongo.ts";
import { backupContract } from "./backup.suite.ts";

backupContract("sqlite", openSqliteBackupStore);
await describeMongo("MongoDB", (server) => backupContract("mongo", mongoBackupStores(server)));
