import { expect, test } from "@jest/globals";
import type { AuditRecord } from "../../agent/api.ts";
import type { ApiClient } from "../../agent/cli/api-client.ts";
import type { CommandInput } from "../../agent/cli/command.ts";
import { audit } from "../../agent/cli/commands/audit.ts";

const one: AuditRecord = {
  time: "2026-01-01T00:00:00.000Z",
  id: "1",
  phase: "outcome",
  actor: { uid: 1000, gid: 1000, pid: 7, user: "ann", from: "unix:///run/x.sock" },
  action: "signal",
  selector: "web/\u001b[2J",
  refs: ["4242@1"],
  container: "c0ffee",
  containerName: "web",
  how: "SIGTERM",
  outcome: "failed",
  exitCode: null,
  message: "not ended",
};
const other: AuditRecord = {
  ...one,
  phase: "intent",
  actor: { uid: 1001, gid: 1001, pid: 8, user: null, from: "unix:///run/x.sock" },
  outcome: null,
  message: null,
};
const command: AuditRecord = {
  ...one,
  action: "exec",
  selector: "web",
  refs: [],
  how: null,
  argv: ["sh", "-c", "exit 3"],
  outcome: "done",
  exitCode: 3,
  message: null,
};

async function run(flags: Readonly<Record<string, string>>) {
  let out = "";
  const asked: [string, unknown][] = [];
  const api: Pick<ApiClient, "get" | "stream"> = {
    get: async (where, query) => {
      asked.push([where, query]);
      return { records: [other, one, command] } as never;
    },
    stream: async (where, query, take) => {
      asked.push([where, query]);
      for (const record of [other, one, command]) take(JSON.stringify(record));
    },
  };
  const input = {
    args: [],
    flags: new Map(Object.entries(flags)),
    api,
    table: { width: undefined, style: (_: string, text: string) => text },
    out: (text: string) => {
      out += text;
    },
  };
  const code = await audit.run(input as unknown as CommandInput);
  return { code, out, asked };
}

test("records are a table, with the user's name where it is known", async () => {
  const { out, asked } = await run({ limit: "5", container: "web", user: "ann", action: "signal" });
  expect(asked).toEqual([["/api/v1/audit", { limit: "5", container: "web", user: "ann", action: "signal" }]]);
  expect(out.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
    ["TIME", "PHASE", "USER", "ACTION", "SELECTOR", "HOW", "OUTCOME", "EXIT", "WHAT"],
    ["2026-01-01T00:00:00.000Z", "intent", "1001", "signal", "web/\\x1b[2J", "SIGTERM", "-", "-", "4242@1"],
    [one.time, "outcome", "ann", "signal", "web/\\x1b[2J", "SIGTERM", "failed", "-", "4242@1", "not ended"],
    [command.time, "outcome", "ann", "exec", "web", "-", "done", "3", "sh -c exit 3"],
    [""],
  ]);
});

test("following prints a line as each comes, or its JSON", async () => {
  const { out, asked } = await run({ follow: "true", user: "ann" });
  expect(asked).toMatchObject([["/api/v1/audit", { limit: "10", user: "ann", follow: "true" }]]);
  expect(out).toBe(
    [
      `${one.time}  intent      1001      signal   web/\\x1b[2J           SIGTERM    -         -     4242@1`,
      `${one.time}  outcome     ann       signal   web/\\x1b[2J           SIGTERM    failed    -     4242@1  not ended`,
      `${one.time}  outcome     ann       exec     web                   -          done      3     sh -c exit 3`,
      "",
    ].join("\n"),
  );
  const json = await run({ follow: "true", json: "true", limit: "0" });
  expect(json.asked).toMatchObject([["/api/v1/audit", { limit: "0" }]]);
  expect(
    json.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([other, one, command]);
});
