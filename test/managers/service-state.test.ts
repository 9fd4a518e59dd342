import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  conditionOf,
  describeState,
  parseRunitStatus,
  parseS6Status,
} from "../../agent/managers/service-state.ts";

const stamp = "400000006b06f7b901d91348";
const s6 = (pid: string, end: string, flags: string): Buffer =>
  Buffer.from(`${stamp}400000006b06f7b900605d76${pid}${end}${flags}`, "hex");

test("s6's status is read, with and without a process group", () => {
  const up = {
    phase: "up",
    pid: 0x4f5a,
    wantUp: true,
    paused: false,
    since: stamp,
    lastEnd: "exit code 0",
  };
  expect(parseS6Status(s6("0000000000004f5a", "0000", "04"))).toEqual(up);
  expect(parseS6Status(s6("0000000000004f5a", "0000000000004f5a0000", "04"))).toEqual(up);
  expect(parseS6Status(s6("0000000000004f5a", "0000", "05"))).toMatchObject({ phase: "up", paused: true });
  expect(parseS6Status(s6("0000000000004f5a", "000f", "06"))).toMatchObject({
    phase: "finishing",
    lastEnd: "signal 15",
  });
  expect(parseS6Status(s6("0000000000000000", "0700", "0c"))).toMatchObject({
    phase: "down",
    wantUp: true,
    lastEnd: "exit code 7",
  });
  expect(parseS6Status(s6("0000000000000000", "0000", "08"))).toMatchObject({ phase: "down", wantUp: false });
});

test("runit's status is read", () => {
  const runit = (rest: string): Buffer => Buffer.from(`${stamp}${rest}`, "hex");
  expect(parseRunitStatus(runit("624f000000750001"))).toEqual({
    phase: "up",
    pid: 0x4f62,
    wantUp: true,
    paused: false,
    since: stamp,
    lastEnd: null,
  });
  expect(parseRunitStatus(runit("0000000000640000"))).toMatchObject({ phase: "down", wantUp: false });
  expect(parseRunitStatus(runit("0000000000750000"))).toMatchObject({ phase: "down", wantUp: true });
  expect(parseRunitStatus(runit("624f000001750001"))).toMatchObject({ phase: "up", paused: true });
  expect(parseRunitStatus(runit("624f000000750002"))).toMatchObject({ phase: "finishing" });
  expect(parseRunitStatus(runit("624f000000750003"))).toBeUndefined();
});

test("a state has words and a condition", () => {
  const state = { phase: "up", pid: 1, wantUp: true, paused: false, since: "", lastEnd: null } as const;
  const told = (more: Partial<Parameters<typeof conditionOf>[0]>) => {
    const one = { ...state, ...more };
    return [describeState(one), conditionOf(one)];
  };
  expect(told({})).toEqual(["up", "running"]);
  expect(told({ paused: true })).toEqual(["up, paused", "running"]);
  expect(told({ phase: "finishing" })).toEqual(["finishing", "changing"]);
  expect(told({ phase: "down" })).toEqual(["down, wants up", "failed"]);
  expect(told({ phase: "down", wantUp: false })).toEqual(["down", "stopped"]);
});

test("any bytes are a status or none", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      for (const parse of [parseS6Status, parseRunitStatus]) {
        const state = parse(Buffer.from(bytes));
        if (state !== undefined) expect(describeState(state)).not.toBe("");
      }
    }),
  );
});
