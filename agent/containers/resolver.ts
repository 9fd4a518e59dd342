import type { Container } from "../model.ts";
import {
  type CgroupLine,
  type CgroupPlace,
  containerPath,
  parseCgroupFile,
  parseCgroupLines,
} from "./cgroup-path.ts";
import type { ContainerRuntime } from "./runtime.ts";

/** Whose a process is. */
export interface Resolved {
  /** The innermost container: the one to show. */
  readonly container: Container;
  /**
   * The one that a runtime answers for: the container itself, else the outermost around it. Null when no runtime knows
   * either: then nothing is done to the process.
   */
  readonly authority: Container | null;
  /** The ids that the path names, the outermost first; one where containers are not nested. */
  readonly nesting: readonly string[];
}

/** Finds containers by the text of /proc/PID/cgroup. Answers are remembered, since many processes share a text. */
export interface ContainerResolver {
  resolve(cgroupText: string): Resolved | undefined;
  /** All that the runtimes know, stopped ones included. */
  known(): readonly Container[];
  /** Forgets texts that were not asked for since the last sweep. */
  sweep(): void;
}

interface Remembered {
  readonly place: CgroupPlace | undefined;
  resolved: Resolved | undefined;
  /** The index for which `resolved` holds. */
  index: ReadonlyMap<string, Container> | undefined;
  used: boolean;
}

/** @param runtimes asked in this order; the first that knows an id has it */
export function createContainerResolver(
  runtimes: readonly Pick<ContainerRuntime, "list">[],
): ContainerResolver {
  const byText = new Map<string, Remembered>();
  let lists: readonly (readonly Container[])[] = [];
  let index: ReadonlyMap<string, Container> = new Map();
  let all: readonly Container[] = [];

  // The runtimes give the same array until something has changed.
  const refresh = (): void => {
    // Without making anything: it is asked for every process.
    let isSame = lists.length === runtimes.length;
    for (let at = 0; at < runtimes.length && isSame; at++) isSame = runtimes[at]?.list() === lists[at];
    if (isSame) return;
    lists = runtimes.map((runtime) => runtime.list());
    const fresh = new Map<string, Container>();
    for (const container of lists.flat()) if (!fresh.has(container.id)) fresh.set(container.id, container);
    index = fresh;
    all = [...fresh.values()];
  };
  return {
    resolve: (text) => {
      refresh();
      let remembered = byText.get(text);
      if (remembered === undefined) {
        remembered = { place: parseCgroupFile(text), resolved: undefined, index: undefined, used: true };
        byText.set(text, remembered);
      }
      remembered.used = true;
      if (remembered.index !== index) {
        remembered.resolved = remembered.place && judge(remembered.place, index);
        remembered.index = index;
      }
      return remembered.resolved;
    },
    known: () => {
      refresh();
      return all;
    },
    sweep: () => {
      for (const [text, remembered] of byText) {
        if (!remembered.used) byText.delete(text);
        remembered.used = false;
      }
    },
  };
}

function judge(place: CgroupPlace, index: ReadonlyMap<string, Container>): Resolved {
  const { nesting } = place;
  const own = index.get(place.containerId);
  if (own !== undefined) return { container: own, authority: own, nesting };
  const outer = place.outerId === null ? undefined : index.get(place.outerId);
  return { container: hinted(place), authority: outer ?? null, nesting };
}

/** What a path alone tells of a container. */
function hinted(place: CgroupPlace): Container {
  return {
    id: place.containerId,
    runtime: place.runtime,
    name: null,
    image: null,
    labels: {},
    state: "unknown",
    initPid: null,
    createdAt: null,
    startedAt: null,
    health: null,
    restartCount: null,
    exitCode: null,
    oomKilled: false,
    restartPolicy: null,
    known: false,
  };
}

/** Where the container's own cgroup is in each hierarchy, by the text of any process in it. */
export function containerCgroups(cgroupText: string): {
  readonly unified: string | undefined;
  readonly byController: ReadonlyMap<string, string>;
} {
  const lines = parseCgroupLines(cgroupText);
  const own = (line: CgroupLine): string | undefined => containerPath(line.path);
  const unified = lines.find((line) => line.controllers.length === 0);
  const byController = lines.flatMap((line) => {
    const path = own(line);
    return path === undefined
      ? []
      : line.controllers.map((controller): [string, string] => [controller, path]);
  });
  return { unified: unified && own(unified), byController: new Map(byController) };
}
