import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import type { AuditRecord } from "../../agent/api.ts";
import { noteStarted } from "./started.ts";
import { waitFor } from "./wait-for.ts";

const builtProgram = path.join(__dirname, "../../dist/main.js");

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly json: any;
}

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface AgentOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Socket of the engine; one that is not there when left out, null for the agent's own choice. */
  readonly engine?: string | null;
  /** Descriptors that it is started with beside the first three. */
  readonly inherits?: readonly number[];
  /** What is put before its command line. */
  readonly wrapper?: readonly string[];
}

/** An agent that runs as a process of its own, from the built program. */
export class TestAgent {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), "pidward-agent-"));
  readonly socket = path.join(this.folder, "pidward.sock");
  readonly auditFile = path.join(this.folder, "audit.jsonl");
  private readonly program: string;
  private web = "";
  private log = "";
  private process: ChildProcess | undefined;

  constructor(program = builtProgram) {
    this.program = program;
  }

  async start(options: AgentOptions = {}): Promise<void> {
    const args = [
      "--web.listen-address=127.0.0.1:0",
      `--control.socket=${this.socket}`,
      `--audit.file=${this.auditFile}`,
      "--metrics.refresh=0s",
      ...(options.engine === null
        ? []
        : [`--docker.socket=${options.engine ?? `${this.folder}/no-engine.sock`}`]),
      ...(options.args ?? []),
    ];
    const own = [process.execPath, this.program, "agent", ...args];
    const [program = "", ...rest] = [...(options.wrapper ?? []), ...own];
    const child = spawn(program, rest, {
      stdio: ["ignore", "ignore", "pipe", ...(options.inherits ?? [])],
      env: { ...process.env, DOCKER_HOST: "", ...options.env },
    });
    this.process = child;
    this.log = "";
    child.stderr?.on("data", (chunk) => {
      this.log += chunk;
    });
    if (child.pid !== undefined) noteStarted(child.pid);
    const web = await waitFor(
      "the agent to listen",
      () => {
        if (child.exitCode !== null) throw new Error(`the agent exited with ${child.exitCode}:\n${this.log}`);
        return /msg=listening web=(\S+)/.exec(this.log)?.[1];
      },
      60_000,
    );
    this.web = web;
  }

  get pid(): number {
    return this.process?.pid ?? -1;
  }

  get stderr(): string {
    return this.log;
  }

  /** `127.0.0.1:PORT` */
  get address(): string {
    return this.web;
  }

  get(path: string, headers: http.OutgoingHttpHeaders = {}): Promise<Answer> {
    const [host, port] = this.web.split(":");
    return ask({ host, port, path, headers });
  }

  /** Over the unix socket unless `tcp`. */
  post(path: string, body: unknown, where: "socket" | "tcp" = "socket"): Promise<Answer> {
    const [host, port] = this.web.split(":");
    const target = where === "tcp" ? { host, port } : { socketPath: this.socket };
    const payload = typeof body === "string" ? body : JSON.stringify(body);
    return ask({ ...target, path, method: "POST", headers: { "content-type": "application/json" } }, payload);
  }

  /** Runs a command of the command line against this agent. */
  cli(...args: readonly string[]): Promise<CliResult> {
    return this.cliWith({}, ...args);
  }

  /** @param more of the environment */
  async cliWith(more: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<CliResult> {
    const env = { ...process.env, PIDWARD_HOST: `unix://${this.socket}`, ...more };
    const child = spawn(process.execPath, [this.program, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env,
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    const [code] = await once(child, "close");
    return { code, stdout, stderr };
  }

  audit(): readonly AuditRecord[] {
    if (!existsSync(this.auditFile)) return [];
    // What stands behind the last line break is being written.
    const lines = readFileSync(this.auditFile, "utf8").split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line));
  }

  /** @returns the exit code; the folder stays */
  async stop(): Promise<number | null> {
    const child = this.process;
    if (child === undefined || child.exitCode !== null) return child?.exitCode ?? null;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), 20_000);
    await ended;
    clearTimeout(late);
    return child.exitCode;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function ask(options: http.RequestOptions, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ ...options, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        const isJson = /json/.test(response.headers["content-type"] ?? "");
        const json = isJson ? JSON.parse(text) : undefined;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json });
      });
    });
    request.once("error", reject);
    request.end(body);
  });
}
