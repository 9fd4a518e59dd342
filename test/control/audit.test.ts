import { appendFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { type AuditIntent, createAudit } from "../../agent/control/audit.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "pidward-audit-"));
afterAll(() => rmSync(folder, { recursive: true }));

const intent: AuditIntent = {
  actor: { uid: 0, pid: 77, from: "unix:/run/pidward/pidward.sock" },
  action: "signal",
  selector: "web/httpd",
  refs: ["4242@183746"],
  container: "c0ffee",
  how: "SIGTERM",
};

test("an intent and its outcome are two lines with one id", async () => {
  const file = path.join(folder, "new/folder/audit.jsonl");
  const audit = createAudit(file, () => 0);
  const id = await audit.intend(intent);
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({
    id,
    phase: "intent",
    refs: ["4242@183746"],
  });
  await audit.conclude(id, intent, "done", null);
  expect(await audit.tail(10)).toEqual([
    { time: "1970-01-01T00:00:00.000Z", id, phase: "intent", ...intent, outcome: null, message: null },
    { time: "1970-01-01T00:00:00.000Z", id, phase: "outcome", ...intent, outcome: "done", message: null },
  ]);
  expect(await audit.tail(1)).toHaveLength(1);
});

test("an intent without an outcome is reported once", async () => {
  const file = path.join(folder, "unfinished.jsonl");
  const audit = createAudit(file, () => 0);
  const id = await audit.intend(intent);
  appendFileSync(file, '{"torn');
  expect((await audit.reportUnfinished()).map((record) => record.id)).toEqual([id]);
  expect(await audit.reportUnfinished()).toEqual([]);
});

test("without a file there are no records", async () => {
  expect(await createAudit(path.join(folder, "none.jsonl"), () => 0).tail(5)).toEqual([]);
});

test("a file that cannot be written is named, with the setting that moves it", async () => {
  writeFileSync(path.join(folder, "plain"), "");
  const audit = createAudit(path.join(folder, "plain/audit.jsonl"), () => 0);
  await expect(audit.intend(intent)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("--audit.file"),
  });
});

test("a link in the file's place is not followed", async () => {
  symlinkSync(path.join(folder, "elsewhere"), path.join(folder, "link.jsonl"));
  const audit = createAudit(path.join(folder, "link.jsonl"), () => 0);
  await expect(audit.intend(intent)).rejects.toMatchObject({ code: "unavailable" });
});
