import { expect, test } from "@jest/globals";
import { createLogger, type LogFormat, type LogLevel } from "../agent/log.ts";

function logged(
  level: LogLevel,
  format: LogFormat,
  write: (log: ReturnType<typeof createLogger>) => void,
): string {
  let text = "";
  write(createLogger({ level, format, clock: () => 0, write: (line) => (text += line) }));
  return text;
}

test("a record is one line, whatever a container is called", () => {
  const text = logged("info", "logfmt", (log) =>
    log.info("found", { name: 'a\nlevel=error msg="b"\u009b2J', pid: 7 }),
  );
  expect(text).toBe(
    'time=1970-01-01T00:00:00.000Z level=info msg=found name="a\\nlevel=error msg=\\"b\\"\\u009b2J" pid=7\n',
  );
});

test("JSON has the same fields", () => {
  const text = logged("info", "json", (log) => log.warn("gone", { refs: ["1@2"] }));
  expect(JSON.parse(text)).toEqual({
    time: "1970-01-01T00:00:00.000Z",
    level: "warn",
    msg: "gone",
    refs: ["1@2"],
  });
});

test("levels below the threshold are not written, and errors come with their stack", () => {
  const text = logged("warn", "logfmt", (log) => {
    log.info("no");
    log.debug("no");
    log.error("yes", { error: new Error("why") });
  });
  expect(text).not.toContain("msg=no");
  expect(text).toContain("why");
  expect(text.split("\n")).toHaveLength(2);
});
