import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { configPaths, readSupervisordCommand } from "../../agent/managers/supervisord-command.ts";

const read = (name: string, ...command: readonly string[]) => readSupervisordCommand({ name, command });

test("supervisord is known by its program or its script, and not by its name among others' arguments", () => {
  expect(read("supervisord", "/usr/bin/supervisord", "-n")?.program).toBe("/usr/bin/supervisord");
  expect(read("supervisord", "/usr/bin/python3", "/usr/bin/supervisord")?.program).toBe(
    "/usr/bin/supervisord",
  );
  expect(read("python3.11", "python3.11", "-u", "-E", "/opt/supervisord", "-n")?.program).toBe(
    "/opt/supervisord",
  );
  expect(read("python3", "python3", "-m", "supervisor.supervisord")?.program).toBe("supervisor.supervisord");
  expect(readSupervisordCommand({ name: "supervisord", command: null })?.program).toBeNull();
  expect(read("tini", "tini", "--", "/usr/bin/supervisord", "-n")).toBeUndefined();
  expect(read("sh", "sh", "-c", "exec supervisord")).toBeUndefined();
  expect(read("python3", "python3", "/srv/app.py", "/usr/bin/supervisord")).toBeUndefined();
  expect(read("supervisorctl", "/usr/bin/python3", "/usr/bin/supervisorctl")).toBeUndefined();
});

test("the configuration's file is taken from the arguments as getopt reads them", () => {
  const config = (...args: readonly string[]) => read("supervisord", "supervisord", ...args)?.configPath;
  expect(config("-c", "/a.conf")).toBe("/a.conf");
  expect(config("-c/a.conf", "-n")).toBe("/a.conf");
  expect(config("-nc", "/a.conf")).toBe("/a.conf");
  expect(config("-u", "-c", "--configuration", "/a.conf")).toBe("/a.conf");
  expect(config("--configuration=/a=b.conf")).toBe("/a=b.conf");
  expect(config("--conf=/a.conf")).toBe("/a.conf");
  expect(config("-l", "/log", "--loglevel", "debug", "-c", "/a.conf", "-c", "/b.conf")).toBe("/b.conf");
  expect(config("-n", "--", "-c", "/a.conf")).toBeNull();
  expect(config("-n", "-c")).toBeNull();
  expect(config("-n")).toBeNull();
});

test("without an argument, supervisord's own places are searched in its order", () => {
  expect(configPaths({ program: "/usr/bin/supervisord", configPath: "conf/a.conf" }, "/srv")).toEqual([
    "/srv/conf/a.conf",
  ]);
  expect(configPaths({ program: "/usr/bin/supervisord", configPath: null }, "/srv")).toEqual([
    "/usr/etc/supervisord.conf",
    "/usr/supervisord.conf",
    "/srv/supervisord.conf",
    "/srv/etc/supervisord.conf",
    "/etc/supervisord.conf",
    "/etc/supervisor/supervisord.conf",
  ]);
});

test("any command line is read", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.string(), fc.constantFrom("-c", "-nc", "--conf", "--", "-"))),
      (args) => {
        const command = read("supervisord", "supervisord", ...args);
        expect(command === undefined ? [] : configPaths(command, "/")).not.toEqual([]);
      },
    ),
  );
});
