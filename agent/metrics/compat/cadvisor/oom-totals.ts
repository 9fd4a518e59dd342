/**
 * OOM kills of containers that do not fall when a container starts again: its new cgroup counts from zero. What a cgroup
 * counted after it was last read is lost with it, so the ends of processes that were seen are counted beside it.
 */
export interface OomTotals {
  /**
   * @param inode of the cgroup's folder, which tells one of its lives from the next
   * @param kills as the cgroup counts them now; undefined: it does not tell
   * @param ends of processes by the OOM killer, as seen since the agent has started
   */
  total(containerId: string, inode: number, kills: number | undefined, ends: number): number | undefined;
  /** Forgets all but these. */
  keep(containerIds: ReadonlySet<string>): void;
}

interface Life {
  inode: number;
  kills: number;
  /** Of the cgroup's lives before this one. */
  before: number;
  /** Kills that the cgroup counts and whose ends were not seen: they came before the agent. */
  unseen: number;
  /** Until when ends are awaited that lower `unseen`; undefined: it stays as it is. */
  settlesAt: number | undefined;
  shown: number;
}

/**
 * A kill is counted by the cgroup at once and its end booked some 20 to 220 ms later, on a busy host after seconds: until
 * then it looks like one that was not seen. Not for longer: what is killed in a cgroup below, whose kills a v1 hierarchy
 * does not add, is an end without a kill.
 */
const settleMs = 10_000;

/** @param monotonicMs milliseconds of a clock that never goes back */
export function createOomTotals(monotonicMs: () => number): OomTotals {
  const lives = new Map<string, Life>();
  return {
    total: (id, inode, kills, ends) => {
      if (kills === undefined) return undefined;
      const life = lives.get(id) ?? begin(inode, kills, monotonicMs());
      lives.set(id, life);
      if (life.inode !== inode || kills < life.kills) {
        life.before += life.kills;
        life.inode = inode;
        life.settlesAt = undefined;
      }
      if (life.settlesAt !== undefined) {
        life.unseen = Math.min(life.unseen, Math.max(0, kills - ends));
        // The first look after that time still counts: it may be the second of all.
        if (monotonicMs() >= life.settlesAt) life.settlesAt = undefined;
      }
      life.kills = kills;
      life.shown = Math.max(life.shown, life.before + kills, ends + life.unseen);
      return life.shown;
    },
    keep: (ids) => {
      for (const id of lives.keys()) if (!ids.has(id)) lives.delete(id);
    },
  };
}

function begin(inode: number, kills: number, now: number): Life {
  return { inode, kills, before: 0, unseen: kills, settlesAt: now + settleMs, shown: 0 };
}
