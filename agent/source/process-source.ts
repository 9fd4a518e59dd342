import type { Problem, ProcessTable } from "../model.ts";

/** What one scan gives. All is new at each scan and never changed after it. */
export interface Scan {
  readonly table: ProcessTable;
  readonly problems: readonly Problem[];
  /** Left out where the source does not know, or processes have come or gone. */
  readonly changes?: TableChanges | undefined;
}

/** How a table differs from one before it that has the same lives in the same rows. */
export interface TableChanges {
  readonly since: ProcessTable;
  /** Rows that may differ, ascending; all others are the same. */
  readonly rows: readonly number[];
}

/** A way to read every process of the host. Each implementation fills the same columns and passes one contract test. */
export interface ProcessSource {
  readonly name: "procfs" | "bpf";
  /** Why it reads in a slower way than it knows, though this kernel should have the faster one; undefined when it does not. */
  readonly slowerBecause?: string | undefined;
  /**
   * Reads all processes once. Yields to the event loop in between, so it must not be called again before it has
   * ended. A process that vanishes in the middle is left out; a file that is refused becomes a problem.
   * @throws AgentError `unavailable` when the host cannot be read at all
   */
  scan(): Promise<Scan>;
  close(): void;
}
