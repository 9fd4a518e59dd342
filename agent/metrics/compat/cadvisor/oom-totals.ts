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
  /** What the two counts differed by when the container was first looked at. */
  readonly unseen: number;
  shown: number;
}

export function createOomTotals(): OomTotals {
  const lives = new Map<string, Life>();
  return {
    total: (id, inode, kills, ends) => {
      if (kills === undefined) return undefined;
      const life = lives.get(id) ?? { inode, kills, before: 0, unseen: Math.max(0, kills - ends), shown: 0 };
      lives.set(id, life);
      if (life.inode !== inode || kills < life.kills) {
        life.before += life.kills;
        life.inode = inode;
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
