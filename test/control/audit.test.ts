import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { AuditRecord } from "../../agent/api.ts";
import { type AuditIntent, type AuditParts, createAudit } from "../../agent/control/audit.ts";
import { createAuditFile } from "../../agent/control/audit-file.ts";
import { fitsQuery, parseRecord } from "../../agent/control/audit-query.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "pidward-audit-"));
afterAll(() => rmSync(folder, { recursive: true }));

const intent: AuditIntent = {
  actor: { uid: 0, gid: 0, pid: 77, user: "root", from: "unix:///run/pidward/pidward.sock" },
  action: "signal",
  selector: "web/httpd",
  refs: ["4242@183746"],
  container: "c0ffee",
  how: "SIGTERM",
};
const done = { outcome: "done", exitCode: null, message: null };

function fileAt(file: string, facts: { maxBytes?: number; keep?: number } = {}, warnings: string[] = []) {
  const log = { warn: (message: string) => void warnings.push(message) };
  return createAuditFile({ path: file, maxBytes: 1 << 20, keep: 10, log, ...facts });
}

function auditAt(
  file: string,
  limits: { maxBytes?: number; keep?: number } = {},
  facts: Partial<AuditParts> = {},
) {
  return createAudit({
    file: fileAt(file, limits),
    bestEffort: false,
    containerName: (id) => (id === "c0ffee" ? "web" : null),
    now: () => 0,
    log: { warn: () => {}, error: () => {} },
    onWriteFailure: () => {},
    ...facts,
  });
}

/** A file of its own in a new folder. */
function fresh(): string {
  return path.join(mkdtempSync(path.join(folder, "f-")), "audit.jsonl");
}

/** All lines of all files, oldest first. */
async function linesIn(file: string): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const line of fileAt(file).linesBackwards()) if (line !== "") lines.push(line);
  return lines.reverse();
}

test("an intent and its outcome are two lines with one id", async () => {
  const file = path.join(folder, "new/folder/audit.jsonl");
  const audit = auditAt(file);
  const id = await audit.intend(intent);
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({
    id,
    phase: "intent",
    refs: ["4242@183746"],
  });
  await audit.conclude(id, intent, done);
  const common = { time: "1970-01-01T00:00:00.000Z", id, ...intent, containerName: "web", message: null };
  expect(await audit.tail({ limit: 10 })).toEqual([
    { ...common, phase: "intent", outcome: null, exitCode: null },
    { ...common, phase: "outcome", outcome: "done", exitCode: null },
  ]);
  expect(await audit.tail({ limit: 1 })).toHaveLength(1);
  expect(await audit.tail({ limit: 0 })).toHaveLength(0);
});

test("a command's exit code is kept, and records from before there was one are read", async () => {
  const file = fresh();
  const audit = auditAt(file);
  const id = await audit.intend(intent);
  await audit.conclude(id, intent, { ...done, exitCode: 3 });
  const { exitCode: _, ...old } = JSON.parse(readFileSync(file, "utf8").split("\n")[0] ?? "");
  appendFileSync(file, `${JSON.stringify({ ...old, id: "old" })}\n`);
  expect((await audit.tail({})).map((record) => [record.id, record.exitCode])).toEqual([
    [id, null],
    [id, 3],
    ["old", null],
  ]);
  expect(await audit.reportUnfinished()).toMatchObject([{ id: "old", exitCode: null }]);
});

test("an intent without an outcome is reported once", async () => {
  const file = fresh();
  const audit = auditAt(file);
  const id = await audit.intend(intent);
  appendFileSync(file, '{"torn');
  expect((await audit.reportUnfinished()).map((record) => record.id)).toEqual([id]);
  expect(await audit.reportUnfinished()).toEqual([]);
});

test("without a file there are no records", async () => {
  expect(await auditAt(path.join(folder, "none.jsonl")).tail({})).toEqual([]);
  expect(await auditAt(path.join(folder, "no/folder/none.jsonl")).tail({})).toEqual([]);
});

test("a file that cannot be written is named, with the settings that help; the record is in the log and counted", async () => {
  writeFileSync(path.join(folder, "plain"), "");
  const logged: unknown[] = [];
  let failures = 0;
  const parts: Partial<AuditParts> = {
    log: { warn: () => {}, error: (_, fields) => logged.push(fields?.record) },
    onWriteFailure: () => failures++,
  };
  const audit = auditAt(path.join(folder, "plain/audit.jsonl"), {}, parts);
  await expect(audit.intend(intent)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/nothing was done.*--audit\.file.*--audit\.best-effort/),
  });
  expect(failures).toBe(1);
  expect(logged).toMatchObject([{ phase: "intent", refs: ["4242@183746"] }]);
  await expect(audit.tail({})).rejects.toMatchObject({ code: "unavailable" });
});

test("with best effort an act goes before its record", async () => {
  const warned: unknown[] = [];
  let failures = 0;
  const audit = auditAt(
    path.join(folder, "plain/audit.jsonl"),
    {},
    {
      bestEffort: true,
      log: { warn: (_, fields) => warned.push(fields?.record), error: () => {} },
      onWriteFailure: () => failures++,
    },
  );
  const told: AuditRecord[] = [];
  audit.listen(
    {},
    (record) => told.push(record),
    () => {},
  );
  const id = await audit.intend(intent);
  await audit.conclude(id, intent, done);
  expect(failures).toBe(2);
  expect(warned).toMatchObject([{ phase: "intent" }, { phase: "outcome", outcome: "done" }]);
  expect(told.map((record) => record.phase)).toEqual(["intent", "outcome"]);
});

test("a link in the file's place is not followed", async () => {
  const file = fresh();
  symlinkSync(path.join(folder, "elsewhere"), file);
  await expect(auditAt(file).intend(intent)).rejects.toMatchObject({ code: "unavailable" });
  expect(existsSync(path.join(folder, "elsewhere"))).toBe(false);
});

test("a full file is put aside, so many are kept, and nothing is lost between them", async () => {
  const file = fresh();
  const log = fileAt(file, { maxBytes: 40, keep: 3 });
  for (let number = 0; number < 12; number++) await log.append(`line ${number} of ten`);
  expect(readdirSync(path.dirname(file)).sort()).toEqual([
    "audit.jsonl",
    "audit.jsonl.1",
    "audit.jsonl.2",
    "audit.jsonl.3",
  ]);
  // Two lines fill a file.
  expect(await linesIn(file)).toEqual([4, 5, 6, 7, 8, 9, 10, 11].map((number) => `line ${number} of ten`));
});

test("a line longer than the limit stands alone, and a smaller number to keep removes the rest", async () => {
  const file = fresh();
  const many = fileAt(file, { maxBytes: 10, keep: 5 });
  for (let number = 0; number < 6; number++) await many.append(`a line over the limit ${number}`);
  expect(readFileSync(file, "utf8")).toBe("a line over the limit 5\n");
  await fileAt(file, { maxBytes: 10, keep: 2 }).append("last");
  expect(await linesIn(file)).toEqual(["a line over the limit 4", "a line over the limit 5", "last"]);
});

test("appends at the same time are whole lines in their order", async () => {
  const file = fresh();
  const log = fileAt(file, { maxBytes: 200, keep: 100 });
  const lines = Array.from({ length: 60 }, (_, number) => `${number} ${"x".repeat(number)}`);
  await Promise.all(lines.map((line) => log.append(line)));
  expect(await linesIn(file)).toEqual(lines);
});

test("reading at the time of a rotation sees every line once", async () => {
  const file = fresh();
  const log = fileAt(file, { maxBytes: 100, keep: 100 });
  for (let number = 0; number < 50; number++) await log.append(`line ${number}`);
  const seen: string[] = [];
  for await (const line of log.linesBackwards()) {
    if (line !== "") seen.push(line);
    if (seen.length % 10 === 0) await log.append(`later ${"x".repeat(90)}`);
  }
  expect(seen.reverse()).toEqual(Array.from({ length: 50 }, (_, number) => `line ${number}`));
});

// Each step is a rename: after any of them the agent can be gone.
test.each([0, 1, 2, 3, 4])("a crash after %i steps of a rotation loses nothing", async (steps) => {
  const file = fresh();
  const log = fileAt(file, { maxBytes: 10, keep: 4 });
  for (const name of ["one", "two", "three", "four"]) await log.append(`line of ${name}`);
  const renames = [
    [`${file}.3`, `${file}.4`],
    [`${file}.2`, `${file}.3`],
    [`${file}.1`, `${file}.2`],
    [file, `${file}.1`],
  ] as const;
  for (const [from, to] of renames.slice(0, steps)) renameSync(from, to);
  const whole = ["line of one", "line of two", "line of three", "line of four"];
  expect(await linesIn(file)).toEqual(whole);
  await log.append("line of five");
  expect(await linesIn(file)).toEqual([...whole, "line of five"]);
});

test("what cannot be rotated grows on, with a warning", async () => {
  const file = fresh();
  const warnings: string[] = [];
  const log = fileAt(file, { maxBytes: 10, keep: 1 }, warnings);
  await log.append("a first line");
  mkdirSync(`${file}.1`);
  await log.append("a second line");
  expect(readFileSync(file, "utf8")).toBe("a first line\na second line\n");
  expect(warnings).toEqual(["the audit file cannot be rotated"]);
});

test("an intent in an older file is joined with its outcome, and one without is unfinished", async () => {
  const file = fresh();
  const audit = auditAt(file, { maxBytes: 1024 });
  const first = await audit.intend(intent);
  const open = await audit.intend({ ...intent, selector: "web/open" });
  for (let count = 0; count < 10; count++) await audit.conclude("other", intent, done);
  await audit.conclude(first, intent, done);
  expect(existsSync(`${file}.2`)).toBe(true);
  expect((await audit.tail({ limit: 1000 })).map((record) => record.phase)).toEqual([
    "intent",
    "intent",
    ...Array.from({ length: 11 }, () => "outcome"),
  ]);
  expect((await audit.reportUnfinished()).map((record) => record.id)).toEqual([open]);
  expect((await audit.tail({ limit: 1 }))[0]).toMatchObject({ id: open, phase: "unfinished" });
});

test("any lines are read as they were written, across chunks and characters of several bytes", async () => {
  const line = fc.string({ unit: "grapheme", maxLength: 40 }).map((text) => text.replaceAll("\n", ""));
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 20 }),
      fc.integer({ min: 1, max: 3 }),
      async (lines, times) => {
        const file = fresh();
        const all = Array.from({ length: times }, () => lines).flat();
        const long = "ü".repeat(40_000);
        writeFileSync(file, [...all, long, ...all].map((one) => `${one}\n`).join(""));
        const read: string[] = [];
        for await (const one of fileAt(file).linesBackwards()) read.push(one);
        expect(read.reverse().filter((one) => one !== "")).toEqual(
          [...all, long, ...all].filter((one) => one !== ""),
        );
      },
    ),
    { numRuns: 25 },
  );
});

test("the tail is narrowed by container, user and action, before it is cut", async () => {
  const audit = auditAt(fresh());
  await audit.intend(intent);
  await audit.intend({ ...intent, action: "restart", container: "decade" });
  await audit.intend({ ...intent, actor: null, container: null });
  for (let count = 0; count < 5; count++) await audit.intend({ ...intent, actor: null, action: "restart" });
  const count = async (query: Parameters<typeof audit.tail>[0]) => (await audit.tail(query)).length;
  expect(await count({ container: "web", action: "signal" })).toBe(1);
  expect(await count({ container: "c0f" })).toBe(6);
  expect(await count({ user: "root" })).toBe(2);
  expect(await count({ user: "0", limit: 1 })).toBe(1);
  expect(await count({ user: "root", action: "restart", container: "decade" })).toBe(1);
  expect(await count({ user: "nobody" })).toBe(0);
});

test("a record of an older form is read and never matched by what it lacks", () => {
  const old = parseRecord(
    '{"id":"1","phase":"intent","refs":[],"actor":{"uid":5,"pid":6},"action":"signal"}',
  );
  if (old === undefined) throw new Error("it was not read");
  expect(fitsQuery(old, { user: "5" })).toBe(true);
  expect(fitsQuery(old, { user: "undefined" })).toBe(false);
  expect(fitsQuery(old, { container: "web" })).toBe(false);
});

test("any line gives a record or none", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (line) => void parseRecord(line)));
  fc.assert(fc.property(fc.json(), (line) => void parseRecord(line)));
});

test("who listens is told of what fits, until the listening or the audit ends", async () => {
  const audit = auditAt(fresh());
  const told: string[] = [];
  let ends = 0;
  const stop = audit.listen(
    { action: "restart" },
    (record) => told.push(record.selector),
    () => ends++,
  );
  audit.listen(
    {},
    () => {},
    () => ends++,
  );
  await audit.intend(intent);
  await audit.intend({ ...intent, action: "restart", selector: "told" });
  stop();
  await audit.intend({ ...intent, action: "restart" });
  audit.close();
  expect(told).toEqual(["told"]);
  expect(ends).toBe(1);
});
