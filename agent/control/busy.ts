import { AgentError } from "../errors.ts";
import { containerLabel, formatRef, type TargetProcess, type Targets } from "../model.ts";

/** The restarts that are under way. Programs of one container can be restarted side by side, each by one at a time. */
export interface Busy {
  /**
   * Holds what is going to be restarted.
   * @returns what lets go of it
   * @throws AgentError `busy` when a restart of the same program is under way, or of the whole container, or, for a
   *   whole container, of anything in it
   */
  hold(targets: Targets): () => void;
  /** The selector of the restart that keeps these from being restarted now; undefined: none does. */
  holderOf(targets: Targets): string | undefined;
}

/** What a restart has for itself, whatever its selector looked like. */
interface Hold {
  readonly selector: string;
  /** The container's id; null for the host's own. */
  readonly container: string | null;
  /** All that is in the container ends. */
  readonly isWhole: boolean;
  readonly program: string | null;
  /** What is stopped, by ref: programs can be below one another. */
  readonly refs: ReadonlySet<string>;
}

export function createBusy(): Busy {
  const holds = new Set<Hold>();
  const find = (wanted: Hold): Hold | undefined => [...holds].find((hold) => excludes(hold, wanted));
  return {
    hold: (targets) => {
      const wanted = toHold(targets);
      const before = find(wanted);
      if (before !== undefined) {
        const where = targets.container === null ? "" : ` in ${containerLabel(targets.container)}`;
        throw new AgentError("busy", `a restart${where} is already under way: of ${before.selector}`);
      }
      holds.add(wanted);
      return () => void holds.delete(wanted);
    },
    holderOf: (targets) => find(toHold(targets))?.selector,
  };
}

function toHold({ selector, kind, container, program, processes, descendants }: Targets): Hold {
  const refsOf = (some: readonly TargetProcess[]): readonly string[] => some.map(({ ref }) => formatRef(ref));
  return {
    selector,
    container: container?.id ?? null,
    isWhole: kind === "container" || processes.some(({ init }) => init),
    program,
    refs: new Set([...refsOf(processes), ...refsOf(descendants)]),
  };
}

function excludes(one: Hold, other: Hold): boolean {
  if (one.container !== other.container) return false;
  if (one.isWhole || other.isWhole || one.program === other.program) return true;
  return [...one.refs].some((ref) => other.refs.has(ref));
}
