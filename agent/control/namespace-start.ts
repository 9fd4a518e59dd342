import type { ChildProcess } from "node:child_process";
import { closeSync } from "node:fs";
import { AgentError, reasonOf } from "../errors.ts";
import { startProgram } from "../exec.ts";
import type { Syscalls } from "../syscalls.ts";
import type { EntryOrder, EntryReport } from "./entry-order.ts";

/** The helper's own start included; a busy machine takes its time. */
const reportLimitMs = 20_000;
/** A fault of the helper's is a stack on its standard error. */
const mostReportBytes = 64 * 1024;

/** A helper that has opened all it needs and waits. */
export interface PreparedEntry {
  /** Has the process started. @returns its host PID; @throws AgentError `failed` with the step that failed */
  start(): Promise<number>;
  /** Ends the helper, if it still runs, without a start. */
  cancel(): void;
}

export type PrepareEntry = (order: EntryOrder) => Promise<PreparedEntry>;

/** @param helperFile the built namespace-helper */
export function createPrepareEntry(syscalls: Syscalls, helperFile: string): PrepareEntry {
  return async (order) => {
    const helper = startHelper(syscalls, helperFile);
    const nextReport = readReports(helper);
    const cancel = (): void => {
      helper.kill("SIGKILL");
      // Not waited for: in a cgroup that is frozen it ends when that is thawed.
      for (const stream of [helper.stdin, helper.stdout, helper.stderr]) stream?.destroy();
      helper.unref();
    };
    const expect = async <K extends EntryReport["kind"]>(
      kind: K,
    ): Promise<Extract<EntryReport, { kind: K }>> => {
      try {
        const report = await nextReport();
        if (isKind(report, kind)) return report;
        throw new AgentError("failed", report.kind === "failed" ? report.message : "the helper is confused");
      } catch (error) {
        cancel();
        throw error;
      }
    };
    helper.stdin?.write(`${JSON.stringify(order)}\n`);
    await expect("ready");
    return {
      start: async () => {
        helper.stdin?.write("go\n");
        return (await expect("started")).pid;
      },
      cancel,
    };
  };
}

function isKind<K extends EntryReport["kind"]>(
  report: EntryReport,
  kind: K,
): report is Extract<EntryReport, { kind: K }> {
  return report.kind === kind;
}

/**
 * Node itself, on a mount that cannot be written through, with as few threads as it can: they count in the container's
 * pids cgroup for the moment that the helper is in it.
 */
function startHelper(syscalls: Syscalls, helperFile: string): ChildProcess {
  const executable = syscalls.openReadOnlyMount(process.execPath);
  try {
    return startProgram({
      file: `/proc/self/fd/${executable}`,
      argv0: "pidward-namespaces",
      args: ["--v8-pool-size=0", helperFile],
      env: {},
      workdir: "/",
      stdio: ["pipe", "pipe", "pipe"],
      detached: false,
    });
  } finally {
    closeSync(executable);
  }
}

/** @returns a function that gives the next report, or throws AgentError `failed` when there is none in time */
function readReports(helper: ChildProcess): () => Promise<EntryReport> {
  const lines: string[] = [];
  let rest = "";
  let fault = "";
  let ended: string | undefined;
  let wake = (): void => {};
  helper.stdout?.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).slice(0, mostReportBytes).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
    wake();
  });
  helper.stderr?.setEncoding("utf8").on("data", (text: string) => {
    fault = (fault + text).slice(0, mostReportBytes);
  });
  // A helper that has ended takes no more orders: told by `close`.
  helper.stdin?.on("error", () => {});
  const stop = (why: string): void => {
    ended ??= why;
    wake();
  };
  helper.once("error", (error) => stop(`the helper could not be started: ${reasonOf(error)}`));
  helper.once("close", (code, signal) =>
    stop(`the helper ended with ${signal ?? `code ${code}`}${fault === "" ? "" : `: ${fault.trim()}`}`),
  );
  return async () => {
    const timer = setTimeout(
      () => stop(`the helper did not answer within ${reportLimitMs / 1000} s`),
      reportLimitMs,
    );
    try {
      for (;;) {
        const line = lines.shift();
        if (line !== undefined) return JSON.parse(line);
        if (ended !== undefined) throw new AgentError("failed", ended);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  };
}
