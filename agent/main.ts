#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node --max-semi-space-size=1
// The agent's young objects are few: room for more would only be memory held, as would a heap of the C library for each of V8's
// threads, which are there before anything of this runs.
import { existsSync, readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setFlagsFromString } from "node:v8";
import { runCli } from "./cli/run-cli.ts";
import { defaultPaths, loadConfig, type Surroundings, settingRows } from "./config.ts";
import { AgentError, systemCode, unlessRefused } from "./errors.ts";
import { findHostRoot } from "./host-root.ts";
import { createLogger, type Logger, type LogSettings, silentLogger } from "./log.ts";

const around: Surroundings = {
  env: process.env,
  uid: process.geteuid?.() ?? 0,
  // Without HOME, a user whom the system does not know has none: files are then looked for below the root.
  home: unlessRefused(os.homedir) ?? "/",
  hostRoot: findHostRoot(),
};

function loggerFor(settings: Pick<LogSettings, "level" | "format">): Logger {
  return createLogger({ ...settings, write: (line) => process.stderr.write(line), clock: Date.now });
}

function readVersion(): string {
  const file = path.join(__dirname, "../package.json");
  const { version }: { version: string } = JSON.parse(readFileSync(file, "utf8"));
  return version;
}

/** Root's agent serves everybody that its socket lets in; without one it is the user's own that is looked for. */
function defaultHost(): string {
  const system = defaultPaths({ ...around, uid: 0 }).socket;
  return `unix://${existsSync(system) ? system : defaultPaths(around).socket}`;
}

/** Only the agent needs its libraries: the other commands answer in a third of the time without them. */
const loadAgent = () => {
  // Four as by itself, and eight that may hang in asking for dead mounts (assemble-collectors.ts): they
  // take no memory before they work.
  process.env.UV_THREADPOOL_SIZE ??= "12";
  return import("./run-agent.ts");
};

/**
 * A scan leaves some hundred kilobytes to the old generation, and V8 would mark everything anew for each 8 MB of those, or
 * after 8 s: with thousands of processes a quarter of the agent's CPU. If the heap grew to twice its size instead of one and
 * a half, ten thousand processes would take an eighth more memory for a twentieth less CPU. Set at run time, where a flag
 * that a later V8 does not know is no reason not to start.
 */
function collectSeldom(): void {
  setFlagsFromString("--heap-growing-percent=50");
  setFlagsFromString("--gc-memory-reducer-start-delay-ms=60000");
}

/**
 * What runs for microseconds a second would be compiled for speed all the same, and again and again as closures come and
 * go: a tenth of the agent's CPU. Long loops still are. Not before it has started, which is work for a moment.
 */
function compileSeldom(): void {
  setFlagsFromString("--interrupt-budget=1000000");
}

/** Runs the agent until TERM or INT; a second one ends it at once. */
async function serve(argv: readonly string[]): Promise<number> {
  collectSeldom();
  const config = loadConfig(argv, around);
  const log = loggerFor({ level: config.logLevel, format: config.logFormat });
  // A fault of ours in one request or event must not end the agent.
  process.on("uncaughtException", (error) => log.error("unexpected error", { error }));
  process.on("unhandledRejection", (error) => log.error("unexpected error", { error }));
  const { runAgent } = await loadAgent();
  const agent = await runAgent(config, log, readVersion());
  compileSeldom();
  const signal = await new Promise<string>((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve(name));
  });
  log.info("stopping", { signal });
  await agent.stop();
  // A restart whose new process has yet to live for its time would keep this one for minutes. Its intent is in the audit, and
  // the next agent tells of it.
  return agent.exit(0);
}

async function main(): Promise<void> {
  // The reader of a pipe may leave before everything is written: head(1) does.
  process.stdout.on("error", (error) => {
    if (systemCode(error) === "EPIPE") process.exit(0);
    throw error;
  });
  const code = await runCli(process.argv.slice(2), {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    stdio: process,
    columns: process.stdout.isTTY ? process.stdout.columns : undefined,
    env: process.env,
    defaultHost: defaultHost(),
    version: readVersion(),
    settings: settingRows(around),
    runAgent: serve,
    examineHost: async () => {
      const { examineWithoutAgent } = await loadAgent();
      return examineWithoutAgent(loadConfig([], around), silentLogger, readVersion());
    },
  });
  process.exitCode = code;
}

main().catch((error: unknown) => {
  const message =
    error instanceof AgentError ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`pidward: ${message}\n`);
  process.exitCode = error instanceof AgentError ? error.exitCode : 1;
});
