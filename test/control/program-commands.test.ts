import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { findProgramCommand, quoteCommand } from "../../agent/control/program-commands.ts";
import { makeContainer } from "../inventory/table.ts";

const read = (text: string, kind: "start" | "stop" = "stop") =>
  findProgramCommand(makeContainer("web", { labels: { [`pidward.program.db.${kind}`]: text } }), "db", kind);

test.each([
  ["nginx -s quit", ["nginx", "-s", "quit"]],
  ["sh -c 'kill \"$PID\"'", ["sh", "-c", 'kill "$PID"']],
  [' ["pg_ctl", "stop", ""]', ["pg_ctl", "stop", ""]],
])("the label %j is the command %j", (text, argv) => {
  expect(read(text)).toEqual({ command: { label: "pidward.program.db.stop", argv } });
  expect(read(text, "start")).toEqual({ command: { label: "pidward.program.db.start", argv } });
});

test.each([
  "",
  "  \n",
  '""',
  "[]",
  '["a"',
  '["a", 1]',
  '[["a"]]',
  '["", "a"]',
  "a\0b",
  '["a", "b\\u0000"]',
  "x".repeat(65_537),
])("the label %j is a reason", (text) => {
  expect(read(text)).toEqual({
    reason: "label pidward.program.db.stop is neither a command line nor a JSON array of strings",
  });
});

test("a label of another program or kind is none", () => {
  const container = makeContainer("web", { labels: { "pidward.program.db.start": "db" } });
  expect(findProgramCommand(container, "db", "stop")).toBeUndefined();
  expect(findProgramCommand(container, "d", "start")).toBeUndefined();
  expect(findProgramCommand(container, "__proto__", "start")).toBeUndefined();
});

test("whatever a label holds, it is a command that can be run or a reason", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const found = read(text);
      if (found === undefined || "reason" in found) return found !== undefined;
      const { argv } = found.command;
      return argv[0] !== "" && argv.every((one) => !one.includes("\0"));
    }),
  );
});

test("a plan shows the beginning of a long command", () => {
  expect(quoteCommand(["a", "b c"])).toBe('["a","b c"]');
  expect(quoteCommand(["a".repeat(10_000)]).length).toBeLessThan(600);
});
