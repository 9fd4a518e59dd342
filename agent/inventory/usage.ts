import { setTimeout as delay } from "node:timers/promises";
import pidusage from "pidusage";

/** The moment over which a share is sampled: ten ticks of the kernel's clock, so that the figure has two digits. */
const sampleMs = 100;
/** pidusage keeps one open descriptor for each PID until this age. Short, so that descriptors go soon; 0 would make
 * it call itself without end. */
const maxAgeMs = 2_000;
/** How many samples may be under way: a bound on the descriptors. */
const maxSamples = 16;

/** The CPU share of a process that someone looks at. Never the source of a counter, never for the whole host. */
export interface CpuSampler {
  /** Percent of one CPU over a moment from now; undefined when the process is gone or too many ask at once. */
  sample(pid: number): Promise<number | undefined>;
}

/**
 * @param procRoot pidusage reads /proc and nothing else: with another root nothing is sampled
 */
export function createCpuSampler(procRoot: string): CpuSampler {
  const underWay = new Map<number, Promise<number | undefined>>();
  const measure = async (pid: number): Promise<number | undefined> => {
    try {
      // The first figure for a PID is the share since its start, or 0: only the second is a share of this moment.
      await pidusage(pid, { maxage: maxAgeMs });
      await delay(sampleMs, undefined, { ref: false });
      const { cpu } = await pidusage(pid, { maxage: maxAgeMs });
      return Math.round(cpu * 10) / 10;
    } catch {
      // It ended, or its descriptor belongs to an earlier life of the PID. pidusage gives both as plain errors.
      return undefined;
    }
  };
  return {
    sample: (pid) => {
      if (procRoot !== "/proc") return Promise.resolve(undefined);
      const running = underWay.get(pid);
      if (running !== undefined) return running;
      if (underWay.size >= maxSamples) return Promise.resolve(undefined);
      const sample = measure(pid).finally(() => underWay.delete(pid));
      underWay.set(pid, sample);
      return sample;
    },
  };
}
