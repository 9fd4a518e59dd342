#!/usr/bin/env -S node --max-semi-space-size=1
// The agent's young objects are few: room for more would only be memory held.
import { existsSync, readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { runCli } from "./cli/run-cli.ts";
import { defaultPaths, loadConfig, type Surroundings, settingRows } from "./config.ts";
import { AgentError, systemCode } from "./errors.ts";
import { findHostRoot } from "./host-root.ts";
import { createLogger, type Logger, type LogSettings, silentLogger } from "./log.ts";

const around: Surroundings = {
  env: process.env,
  uid: process.geteuid?.() ?? 0,
  home: os.homedir(),
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
const loadAgent = () => import("./run-agent.ts");

/** Runs the agent until TERM or INT; a second one ends it at once. */
async function serve(argv: readonly string[]): Promise<number> {
  const config = loadConfig(argv, around);
  const log = loggerFor({ level: config.logLevel, format: config.logFormat });
  // A fault of ours in one request or event must not end the agent.
  process.on("uncaughtException", (error) => log.error("unexpected error", { error }));
  process.on("unhandledRejection", (error) => log.error("unexpected error", { error }));
  const { runAgent } = await loadAgent();
  const agent = await runAgent(config, log, readVersion());
  const signal = await new Promise<string>((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve(name));
  });
  log.info("stopping", { signal });
  await agent.stop();
  // A restart whose new process has yet to live for its time would keep this one for minutes. Its intent is in the audit, and
  // the next agent tells of it.
  process.exit(0);
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
