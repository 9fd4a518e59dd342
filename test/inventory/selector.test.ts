import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { AgentError } from "../../agent/errors.ts";
import { parseSelector, select } from "../../agent/inventory/selector.ts";
import { makeContainer, makeSnapshot } from "./table.ts";

const snapshot = makeSnapshot(
  [
    { pid: 1, parentPid: 0, name: "systemd" },
    { pid: 10, name: "init", container: "abcd1111", containerPid: 1 },
    { pid: 20, parentPid: 10, name: "httpd", container: "abcd1111", containerPid: 7 },
    { pid: 21, parentPid: 20, name: "httpd", container: "abcd1111", containerPid: 8 },
    { pid: 30, name: "redis", container: "abcd2222" },
  ],
  [
    makeContainer("abcd1111", {
      name: "web",
      initPid: 10,
      labels: { "pidward.program.cron.start": "crond" },
    }),
    makeContainer("abcd2222", { name: "cache", initPid: 30 }),
    makeContainer("ffff3333", { name: "abcd", state: "exited" }),
  ],
);
const pids = (text: string): number[] =>
  select(parseSelector(text), snapshot).rows.map((row) => snapshot.table.pid[row] ?? 0);
const codeOf = (text: string): string | undefined => {
  try {
    pids(text);
    return undefined;
  } catch (error) {
    return error instanceof AgentError ? error.code : "other";
  }
};

test("every form of selector finds its processes", () => {
  expect(pids("20")).toEqual([20]);
  expect(pids("20@200")).toEqual([20]);
  expect(pids("web")).toEqual([10, 20, 21]);
  expect(pids("abcd11")).toEqual([10, 20, 21]);
  expect(pids("web/httpd")).toEqual([20, 21]);
  expect(pids("web:7")).toEqual([20]);
});

test("a name goes before an id prefix", () => {
  expect(select(parseSelector("abcd"), snapshot)).toMatchObject({ container: 2, rows: [] });
});

test("a program that only a label declares is found without processes", () => {
  expect(select(parseSelector("web/cron"), snapshot)).toMatchObject({
    kind: "program",
    program: "cron",
    rows: [],
  });
});

test("a unit is found without its suffix, unless a program bears that name itself", () => {
  const units = makeSnapshot(
    [
      { pid: 10, name: "init", container: "abcd1111", containerPid: 1 },
      { pid: 20, parentPid: 10, name: "web.service", container: "abcd1111" },
      { pid: 30, parentPid: 10, name: "db", container: "abcd1111" },
      { pid: 31, parentPid: 10, name: "db.service", container: "abcd1111" },
    ],
    [makeContainer("abcd1111", { name: "shop", initPid: 10 })],
  );
  const found = (text: string) => {
    const { program, rows } = select(parseSelector(text), units);
    return [program, rows.map((row) => units.table.pid[row])];
  };
  expect(found("shop/web")).toEqual(["web.service", [20]]);
  expect(found("shop/web.service")).toEqual(["web.service", [20]]);
  expect(found("shop/db")).toEqual(["db", [30]]);
  expect(() => found("shop/we")).toThrow(expect.objectContaining({ code: "not_found" }));
});

test("what is not there, what fits several and what no longer holds are told apart", () => {
  expect(codeOf("4242")).toBe("not_found");
  expect(codeOf("shop")).toBe("not_found");
  expect(codeOf("web/nginx")).toBe("not_found");
  expect(codeOf("web:99")).toBe("not_found");
  expect(codeOf("abcd1111x")).toBe("not_found");
  expect(codeOf("abc")).toBe("ambiguous");
  expect(codeOf("20@201")).toBe("stale_ref");
  expect(codeOf("99@201")).toBe("stale_ref");
  expect(codeOf("we b")).toBe("bad_request");
});

test("an ambiguous name lists its candidates, a missing program what there is", () => {
  const detailsOf = (text: string) => {
    try {
      pids(text);
    } catch (error) {
      return error instanceof AgentError ? error.details : undefined;
    }
    return undefined;
  };
  expect(detailsOf("abc")).toEqual({ candidates: ["abcd1111 (web)", "abcd2222 (cache)"] });
  expect(detailsOf("web/nginx")).toEqual({ candidates: ["web/httpd", "web/init"] });
});

test("any text is a selector or a clear error", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      try {
        parseSelector(text);
      } catch (error) {
        expect(error).toBeInstanceOf(AgentError);
      }
    }),
  );
});
