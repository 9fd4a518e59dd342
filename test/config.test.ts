import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { defaultPaths, loadConfig, type Surroundings, settingRows } from "../agent/config.ts";
import { AgentError } from "../agent/errors.ts";
import { parseSize } from "../agent/sizes.ts";
import { parseSpan } from "../agent/spans.ts";

const root: Surroundings = { env: {}, uid: 0, home: "/root", hostRoot: "/" };

test("the defaults are those of the design", () => {
  expect(loadConfig([], root)).toMatchObject({
    webListenAddress: { host: "127.0.0.1", port: 10776 },
    webTelemetryPath: "/metrics",
    controlSocket: "/run/pidward/pidward.sock",
    auditFile: "/var/lib/pidward/audit.jsonl",
    scanInterval: 1000,
    source: "auto",
    dockerSocket: "/var/run/docker.sock",
    controlAllowHost: false,
    auditMaxSize: 16 << 20,
    auditKeep: 10,
    auditBestEffort: false,
  });
});

test("a flag goes before the environment, and that before the default", () => {
  const env = {
    PIDWARD_SCAN_INTERVAL: "3s",
    PIDWARD_WEB_LISTEN_ADDRESS: ":80",
    DOCKER_HOST: "tcp://engine:2375",
  };
  const config = loadConfig(["--scan.interval=500ms", "--control.allow-host"], { ...root, env });
  expect(config).toMatchObject({
    scanInterval: 500,
    webListenAddress: { host: "", port: 80 },
    dockerSocket: "tcp://engine:2375",
    controlAllowHost: true,
  });
});

test("without root the paths are the user's own", () => {
  expect(defaultPaths({ env: {}, uid: 1000, home: "/home/ann", hostRoot: "/" })).toEqual({
    socket: "/home/ann/.local/state/pidward/pidward.sock",
    audit: "/home/ann/.local/state/pidward/audit.jsonl",
  });
  const env = { XDG_RUNTIME_DIR: "/run/user/1000", XDG_STATE_HOME: "/state" };
  expect(defaultPaths({ env, uid: 1000, home: "/home/ann", hostRoot: "/" })).toEqual({
    socket: "/run/user/1000/pidward/pidward.sock",
    audit: "/state/pidward/audit.jsonl",
  });
});

test.each([
  [["--scan.intervall=1s"], {}, "did you mean --scan.interval"],
  [["--scan.interval"], {}, "needs a value"],
  [["--scan.interval=soon"], {}, '--scan.interval: "soon"'],
  [["--scan.interval=1ms"], {}, "between 100ms and 1h"],
  [["--web.listen-address=here"], {}, "HOST:PORT"],
  [["--web.listen-address=:99999"], {}, "HOST:PORT"],
  [["--control.socket=relative"], {}, "absolute"],
  [["--audit.max-size=lots"], {}, "not a size like 16MiB"],
  [["--audit.max-size=16MB"], {}, "not a size like 16MiB"],
  [["--audit.max-size=100"], {}, "less than 1KiB"],
  [["--audit.keep=0"], {}, "from 1"],
  [["--audit.keep=101"], {}, "more than 100"],
  [["--source=ebpf"], {}, "auto, bpf, procfs"],
  [["--log.level=loud"], {}, "error, warn, info, debug"],
  [["extra"], {}, 'unexpected argument "extra"'],
  [[], { PIDWARD_METRICS_MAX_SERIES: "many" }, 'PIDWARD_METRICS_MAX_SERIES: "many"'],
])("%j with %j is refused with words", (argv, env, words) => {
  const load = (): unknown => loadConfig(argv, { ...root, env });
  expect(load).toThrow(AgentError);
  expect(load).toThrow(words);
});

test("every setting has its own flag and environment name", () => {
  const rows = settingRows(root);
  expect(new Set(rows.map((row) => row.flag)).size).toBe(rows.length);
  expect(new Set(rows.map((row) => row.environment)).size).toBe(rows.length);
  expect(rows.map((row) => row.environment)).toContain("PIDWARD_CONTROL_ALLOW_HOST");
});

test.each([
  ["16MiB", 16_777_216],
  ["64KiB", 65_536],
  ["2GiB", 2_147_483_648],
  ["4096", 4096],
  ["4096B", 4096],
])("the size %s is %i bytes", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
  expect(loadConfig([`--audit.max-size=${text}`], root).auditMaxSize).toBe(bytes);
});

test.each([
  ["500ms", 500],
  ["1m30s", 90_000],
  ["2h", 7_200_000],
  ["1.5", 1500],
])("the span %s is %i ms", (text, ms) => {
  expect(parseSpan(text)).toBe(ms);
});

test("any text is a span or an error", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        expect(parseSpan(text)).toBeGreaterThanOrEqual(0);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
  );
});
