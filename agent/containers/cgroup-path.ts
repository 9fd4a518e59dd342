// 4:memory:/docker/f37a7e4d17017e7bf774656b19ca4360c6cdc4951c86700a464101d0d9ce97ee
// 0::/system.slice/docker-c1146e7ccca9ab4436abd69923c07d097b37b762ed21cc3f24584c2f84e77c57.scope/system.slice/worker.service

/** Where a process is, as its cgroup says. It is a hint: the runtime has the last word. */
export interface CgroupPlace {
  /** Innermost id; a name with runtimes that use names. */
  readonly containerId: string;
  /** Null where the path's shape tells no runtime. */
  readonly runtime: string | null;
  /** The outermost id when containers are nested, else null. */
  readonly outerId: string | null;
  /** All ids on the way, the outermost first; the first few of very many. */
  readonly nesting: readonly string[];
  /** How many segments of the path name the container's own cgroup. */
  readonly depth: number;
  /** The systemd unit below the container's cgroup: `worker.service`. */
  readonly unit: string | null;
}

export interface CgroupLine {
  /** Empty for the unified hierarchy. */
  readonly controllers: readonly string[];
  readonly path: string;
}

interface Shape {
  readonly runtime: string | null;
  /** What a whole segment looks like; the first group is the id. */
  readonly segment: RegExp;
  /** What must stand before it: the segment right before, or any of those before with `within`. */
  readonly after?: string;
  readonly within?: string;
  /** Turns the matched text into the id. */
  readonly read?: (text: string) => string;
}

const uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

/**
 * Every shape of a segment that names a container, the most particular first. A segment is matched as a whole, so an id
 * is always bounded, and what only begins like one (`crio-conmon-…`, `libpod-conmon-…`, `lxc.monitor.…`, `….mount`,
 * `<id>.service` of a health check) is none.
 */
const shapes: readonly Shape[] = [
  // systemd driver: /system.slice/docker-<id>.scope
  { runtime: "docker", segment: /^docker-([0-9a-f]{64})\.scope$/ },
  { runtime: "containerd", segment: /^(?:cri-containerd|nerdctl)-([0-9a-f]{64})(?:\.scope)?$/ },
  { runtime: "cri-o", segment: /^crio-([0-9a-f]{64})(?:\.scope)?$/ },
  { runtime: "podman", segment: /^libpod-(?:payload-)?([0-9a-f]{64})(?:\.scope)?$/ },
  // systemd's notation handed to the cgroupfs driver: kubepods-burstable-pod<uid>.slice:cri-containerd:<id>
  { runtime: "containerd", segment: /^[^:]+:cri-containerd:([0-9a-f]{64})$/ },
  { runtime: "cri-o", segment: /^[^:]+:crio:([0-9a-f]{64})$/ },
  { runtime: "docker", segment: /^[^:]+:docker:([0-9a-f]{64})$/ },
  // cgroupfs driver: /docker/<id>
  { runtime: "docker", segment: /^([0-9a-f]{64})$/, after: "docker" },
  { runtime: "podman", segment: /^([0-9a-f]{64})$/, after: "libpod" },
  { runtime: "lxc", segment: /^(.+)$/, after: "lxc" },
  { runtime: "lxc", segment: /^lxc\.payload\.(.+)$/ },
  // Amazon ECS: /ecs/<task>/<id>, on Fargate /ecs/<task>/<task>-<number>
  { runtime: "docker", segment: /^([0-9a-f]{64})$/, within: "ecs" },
  { runtime: "ecs", segment: /^([0-9a-f]{32}-\d+)$/, within: "ecs" },
  {
    runtime: "garden",
    segment: /^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4})$/,
    within: "garden",
  },
  { runtime: "mesos", segment: new RegExp(`^(${uuid})$`), after: "mesos" },
  // machined: machine-my\x2dbox.scope; virtual machines are there too
  { runtime: "systemd-nspawn", segment: /^machine-(?!qemu)(.+)\.scope$/, read: unescapeUnit },
  { runtime: "systemd-nspawn", segment: /^systemd-nspawn@(.+)\.service$/, read: unescapeUnit },
  // any other parent: --cgroup-parent, /kubepods/burstable/pod<uid>/<id>, /default/<id>
  { runtime: null, segment: /^([0-9a-f]{64})$/ },
];

/** The lines of /proc/PID/cgroup (cgroups(7)): a name may hold colons, so only the first two separate. */
export function parseCgroupLines(text: string): readonly CgroupLine[] {
  return text.split("\n").flatMap((line) => {
    const first = line.indexOf(":");
    const second = line.indexOf(":", first + 1);
    if (first === -1 || second === -1) return [];
    const controllers = line.slice(first + 1, second);
    return [{ controllers: controllers === "" ? [] : controllers.split(","), path: line.slice(second + 1) }];
  });
}

/** The container that /proc/PID/cgroup names: the first line that names one; lines that name none do not count. */
export function parseCgroupFile(text: string): CgroupPlace | undefined {
  for (const line of parseCgroupLines(text)) {
    const place = parseCgroupPath(line.path);
    if (place !== undefined) return place;
  }
  return undefined;
}

/** The container that one path names. */
export function parseCgroupPath(path: string): CgroupPlace | undefined {
  const segments = path.split("/");
  const found = segments.flatMap((segment, index) => matchSegment(segment, segments, index));
  const [outer] = found;
  const inner = found.at(-1);
  if (outer === undefined || inner === undefined) return undefined;
  const below = segments.slice(inner.index + 1).findLast((segment) => /\.(service|scope)$/.test(segment));
  return {
    containerId: inner.id,
    runtime: inner.runtime,
    outerId: outer.id === inner.id ? null : outer.id,
    nesting: found
      .map(({ id }) => id)
      .filter((id, index, ids) => id !== ids[index - 1])
      .slice(0, mostNested),
    depth: inner.index + 1,
    unit: below ?? null,
  };
}

/** A container can make paths of any depth: what is beyond this is not told apart. */
const mostNested = 8;

/** The path of the container's own cgroup: for figures of the whole, whatever cgroups it made inside. */
export function containerPath(path: string): string | undefined {
  const place = parseCgroupPath(path);
  return place && path.split("/").slice(0, place.depth).join("/");
}

interface Match {
  readonly id: string;
  readonly runtime: string | null;
  readonly index: number;
}

/** Names on the way are at most 255 bytes each (NAME_MAX); anything longer is no cgroup's. */
const longestSegment = 255;

function matchSegment(segment: string, segments: readonly string[], index: number): Match[] {
  if (segment.length > longestSegment) return [];
  for (const shape of shapes) {
    if (shape.after !== undefined && segments[index - 1] !== shape.after) continue;
    const id = shape.segment.exec(segment)?.[1];
    if (id === undefined) continue;
    if (shape.within !== undefined && !segments.slice(0, index).includes(shape.within)) continue;
    return [{ id: shape.read?.(id) ?? id, runtime: shape.runtime, index }];
  }
  return [];
}

/** systemd.unit(5): `\x2d` stands for the byte 0x2d. */
function unescapeUnit(text: string): string {
  return text.replaceAll(/\\x([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
