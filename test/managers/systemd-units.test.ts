import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { isUnitName, parseUnits, toManagedProgram } from "../../agent/managers/systemd-units.ts";

const shown = (id: string, states: readonly [string, string], more = ""): string =>
  `Id=${id}\nLoadState=loaded\nActiveState=${states[0]}\nSubState=${states[1]}\nMainPID=42\nResult=success\nExecMainStatus=0\nUnitFileState=enabled\n${more}`;

test("units are read, and a PID counts only where the host has it", () => {
  const units = parseUnits(
    [
      shown("web.service", ["active", "running"]),
      shown("a\\x2db@c:d.service", ["failed", "failed"], "Result=exit-code\nExecMainStatus=7\n"),
      shown("--now.service", ["active", "running"]),
      shown("web.socket", ["active", "listening"]),
    ].join("\n"),
  );
  expect(units.map((unit) => toManagedProgram(unit, new Map([[42, 4242]])))).toEqual([
    { name: "web.service", state: "active (running)", condition: "running", pid: 4242, remark: null },
    {
      name: "a\\x2db@c:d.service",
      state: "failed (failed)",
      condition: "failed",
      pid: 4242,
      remark: "exit-code, exit status 7",
    },
  ]);
  expect(units[0] && toManagedProgram(units[0], new Map()).pid).toBeNull();
});

test("each state has its condition", () => {
  const condition = (active: string, sub: string) => {
    const [unit] = parseUnits(shown("web.service", [active, sub]));
    return unit && toManagedProgram(unit, new Map()).condition;
  };
  expect(condition("active", "exited")).toBe("running");
  expect(condition("inactive", "dead")).toBe("stopped");
  expect(condition("activating", "start-pre")).toBe("changing");
  expect(condition("activating", "auto-restart")).toBe("failed");
  expect(condition("deactivating", "stop-sigterm")).toBe("changing");
  expect(condition("failed", "failed")).toBe("failed");
  expect(condition("maintenance", "x")).toBe("failed");
});

test("any text has units or none, and no name that is an option", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      for (const { id } of parseUnits(`Id=${text}.service\n\n${text}`)) {
        expect(isUnitName(id)).toBe(true);
        expect(id.startsWith("-")).toBe(false);
      }
    }),
  );
  for (const name of [
    "",
    ".service/x",
    "a b.service",
    "a\n.service",
    "*.service",
    "-h.service",
    `${"a".repeat(250)}.service`,
  ])
    expect(isUnitName(name)).toBe(false);
});
