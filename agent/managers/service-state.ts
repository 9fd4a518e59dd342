import type { ProgramCondition } from "../model.ts";

/** What a supervisor of the daemontools family (s6-supervise, runsv) has written of its service. */
export interface ServiceState {
  readonly phase: "up" | "finishing" | "down";
  /** Of the service, or of its `finish` while that runs; in the supervisor's PID namespace, 0 without a process. */
  readonly pid: number;
  readonly wantUp: boolean;
  readonly paused: boolean;
  /** When the phase began: changes with every start and end. */
  readonly since: string;
  /** How the last run ended; null where that is not told. */
  readonly lastEnd: string | null;
}

/** `up`, `up, paused`, `down`, `down, wants up`, `finishing` */
export function describeState({ phase, paused, wantUp }: ServiceState): string {
  const more = phase === "up" ? (paused ? ", paused" : "") : phase === "down" && wantUp ? ", wants up" : "";
  return `${phase}${more}`;
}

/** One that is down and not meant to be has ended by itself, again, or cannot be started. */
export function conditionOf({ phase, wantUp }: ServiceState): ProgramCondition {
  switch (phase) {
    case "up":
      return "running";
    case "finishing":
      return "changing";
    case "down":
      return wantUp ? "failed" : "stopped";
  }
}

/**
 * `supervise/status` of s6: struct s6_svstatus_s as s6_svstatus_pack.c writes it. Two stamps of 12 bytes, u64 PID, since
 * 2.12 u64 process group, u16 wait status, flags (paused, finishing, want up, ready); all big-endian.
 */
export function parseS6Status(bytes: Buffer): ServiceState | undefined {
  if (bytes.length !== 35 && bytes.length !== 43) return undefined;
  const flags = bytes.readUInt8(bytes.length - 1);
  const pid = Number(bytes.readBigUInt64BE(24));
  const finishing = (flags & 2) !== 0;
  const waitStatus = bytes.readUInt16BE(bytes.length - 3);
  const [signal, code] = [waitStatus & 0x7f, waitStatus >> 8];
  return {
    phase: pid === 0 ? "down" : finishing ? "finishing" : "up",
    pid,
    wantUp: (flags & 4) !== 0,
    paused: (flags & 1) !== 0,
    since: bytes.toString("hex", 0, 12),
    lastEnd: signal === 0 ? `exit code ${code}` : `signal ${signal}`,
  };
}

/**
 * `supervise/status` of runit (update_status in its runsv.c): a stamp of 12 bytes, u32 PID little-endian, paused, wanted
 * (`u`, `d` or 0), TERM was sent, phase (0 down, 1 run, 2 finish).
 */
export function parseRunitStatus(bytes: Buffer): ServiceState | undefined {
  if (bytes.length !== 20) return undefined;
  const phase = (["down", "up", "finishing"] as const)[bytes.readUInt8(19)];
  if (phase === undefined) return undefined;
  return {
    phase,
    pid: bytes.readUInt32LE(12),
    wantUp: bytes.readUInt8(17) === "u".charCodeAt(0),
    paused: bytes.readUInt8(16) !== 0,
    since: bytes.toString("hex", 0, 12),
    lastEnd: null,
  };
}
