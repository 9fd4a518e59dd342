/** Of whom a command line hung, and when it is tried again. Holders are containers, or processes outside of them. */
export interface Hangs {
  /**
   * False while the one that hung does, and then for as many scans as it has been worth: one at first, since a machine
   * with too much to do is as late as a memory that is held, and twice as many each time that it hangs again.
   */
  mayRead(holder: string, scan: number): boolean;
  /** The command line of `pid`, which is one of the holder's, has just hung. */
  note(holder: string, pid: number, scan: number): void;
  /** Forgets those that have not hung for long. */
  sweep(scan: number): void;
}

interface Hang {
  readonly pid: number;
  readonly since: number;
  /** In scans. */
  readonly pause: number;
}

/** @param mostPause in scans: each time that one hangs holds up a scan */
export function createHangs(isHanging: (pid: number) => boolean, mostPause: number): Hangs {
  const byHolder = new Map<string, Hang>();
  const isOver = ({ pid, since, pause }: Hang, scan: number): boolean =>
    scan - since >= pause && !isHanging(pid);
  return {
    mayRead: (holder, scan) => {
      if (byHolder.size === 0) return true;
      const hang = byHolder.get(holder);
      return hang === undefined || isOver(hang, scan);
    },
    note: (holder, pid, since) => {
      const before = byHolder.get(holder);
      const pause = before === undefined ? 1 : Math.min(2 * before.pause, mostPause);
      byHolder.set(holder, { pid, since, pause });
    },
    sweep: (scan) => {
      for (const [holder, hang] of byHolder)
        if (scan - hang.since >= 2 * mostPause && isOver(hang, scan)) byHolder.delete(holder);
    },
  };
}
