import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { DriverName } from "../../agent/api.ts";
import type { TestContainer, TestContainerOptions } from "./containers.ts";
import { managersImage, supervisordHead, systemdHost, systemdImage } from "./manager-images.ts";
import type { Part } from "./parts.ts";
import { waitFor } from "./wait-for.ts";

/** One way to restart, with a real container in which it is the way. */
export interface RestartRow {
  readonly driver: DriverName;
  readonly needs: readonly Part[];
  /** Off by default, and not the first that has a plan while the engine answers: it is asked for by its name. */
  readonly isLast?: true;
  /** What selectors call the program that is restarted; null: the container itself is named. */
  readonly program: string | null;
  /** The script in /app that the program is. */
  readonly script: string;
  /** Writes what it needs into the folder that is mounted at /app, and says how the container runs. */
  readonly prepare: (folder: string) => TestContainerOptions;
  /** What becomes of the other programs of the container. */
  readonly neighbours: "stay" | "new";
  /** Without the engine it works all the same, or refuses and has touched nothing. */
  readonly withoutEngine: "works" | "refuses";
  /** Who restarts, from inside; null: the engine does, and there is nobody else to lose. */
  readonly manager: LostManager | null;
  /** What starts the program when nothing of it is left; null: the driver itself can. */
  readonly bringBack: readonly string[] | null;
}

export interface LostManager {
  /** In words, for the test's title. */
  readonly what: string;
  /** Ends it for good by signals from the host. */
  readonly lose: (container: TestContainer) => Promise<void>;
  /** The container ends with it. */
  readonly takesContainer?: true;
  /** What a restart says then. */
  readonly says: RegExp;
}

/** The programs beside the one that is restarted, and what each is. */
export const neighbours = { first: "sleep 100001", second: "sleep 100002" } as const;
const neighbourNames = Object.keys(neighbours);

/**
 * Ends by TERM; while /app/hold is there it takes its time, with /app/deaf it ignores TERM, with /app/die it cannot be
 * started, with /app/brief it makes /app/begun and ends by itself when /app/brief is taken away. Files are made by the shell
 * itself: systemd's TERM is for all of the unit, and would end a touch(1) before it has made one.
 */
const obedient = `#!/bin/sh
[ -e /app/die ] && exit 9
stop() {
  : >/app/stopping
  while [ -e /app/hold ]; do usleep 100000; done
  [ -e /app/deaf ] || exit 0
}
trap stop TERM
BESIDE
[ -e /app/brief ] && : >/app/begun && while [ -e /app/brief ]; do usleep 100000; done && exit 8
while true; do sleep 5 & wait $!; done
`;

const reapsForEver = "while true; do sleep 1; wait; done";
const inBackground = (...commands: readonly string[]): string =>
  commands.map((command) => `${command} & `).join("");
const neighbourPaths = neighbourNames.map((name) => `/app/${name}`);

/** A folder to be mounted at /app, with the programs in it. */
function writePrograms(folder: string): void {
  mkdirSync(folder, { recursive: true });
  write(folder, "worker", obedient.replace("BESIDE\n", ""));
  write(folder, "init", obedient.replace("BESIDE", inBackground(...neighbourPaths).trim()));
  for (const [name, command] of Object.entries(neighbours))
    write(folder, name, `#!/bin/sh\nexec ${command}\n`);
}

function write(folder: string, name: string, text: string): void {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, 0o755);
}

const inside = (folder: string, options: TestContainerOptions): TestContainerOptions => ({
  ...options,
  host: { ...options.host, Binds: [...(options.host?.Binds ?? []), `${folder}:/app`] },
});

const supervisorConfig = `${supervisordHead}[program:worker]
command=/app/worker
startsecs=1
startretries=0
autorestart=false
stopwaitsecs=3
${neighbourNames.map((name) => `[program:${name}]\ncommand=/app/${name}\nstartsecs=0\n`).join("")}`;

const supervisord: RestartRow = {
  driver: "supervisord",
  needs: ["docker", "busybox", "supervisor"],
  program: "worker",
  script: "worker",
  prepare: (folder) => {
    writePrograms(folder);
    write(folder, "supervisord.conf", supervisorConfig);
    const start = "/usr/bin/python3 /usr/bin/supervisord -c /app/supervisord.conf";
    return inside(folder, {
      image: managersImage,
      // Not the init, so that its programs can outlive it.
      argv: ["sh", "-c", inBackground(start) + reapsForEver],
      env: ["PATH=/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1"],
    });
  },
  neighbours: "stay",
  withoutEngine: "works",
  manager: {
    what: "supervisord",
    lose: (container) => killIn(container, /^\/usr\/bin\/python3 \/usr\/bin\/supervisord/),
    says: /no supervisord runs in/,
  },
  bringBack: null,
};

/** @param tree starts one supervisor for each folder of /app/services */
function supervision(
  driver: "s6" | "runit",
  tree: readonly string[],
  scanner: RegExp,
  supervisor: RegExp,
): RestartRow {
  return {
    driver,
    needs: ["docker", "busybox", driver, "tini"],
    program: "worker",
    script: "worker",
    prepare: (folder) => {
      writePrograms(folder);
      for (const name of ["worker", ...neighbourNames])
        write(folder, `services/${name}/run`, `#!/bin/sh\nexec /app/${name}\n`);
      write(folder, "services/worker/timeout-kill", "3000\n");
      return inside(folder, {
        image: managersImage,
        argv: ["/usr/bin/tini", "--", ...tree, "/app/services"],
        env: ["PATH=/usr/bin:/bin"],
      });
    },
    neighbours: "stay",
    withoutEngine: "works",
    manager: {
      what: "the program's supervisor",
      lose: async (container) => {
        // It would be started again at once, and start a second one of the program itself.
        signalIn(container, scanner, "SIGSTOP");
        await killIn(container, supervisor);
      },
      says: /is not a process of one of its programs/,
    },
    bringBack: null,
  };
}

const unit = (script: string): string =>
  `[Unit]\nDescription=one of the test's\n[Service]\nExecStart=/app/${script}\nTimeoutStopSec=3\n[Install]\nWantedBy=multi-user.target\n`;

const systemd: RestartRow = {
  driver: "systemd",
  needs: ["docker", "busybox", "systemd"],
  program: "worker.service",
  script: "worker",
  prepare: (folder) => {
    writePrograms(folder);
    const wants = path.join(folder, "units/multi-user.target.wants");
    mkdirSync(wants, { recursive: true });
    for (const name of ["worker", ...neighbourNames]) {
      writeFileSync(path.join(folder, `units/${name}.service`), unit(name));
      symlinkSync(`../${name}.service`, path.join(wants, `${name}.service`));
    }
    symlinkSync("/lib/systemd/system/multi-user.target", path.join(folder, "units/default.target"));
    return inside(folder, {
      image: systemdImage,
      argv: ["/sbin/systemd"],
      env: ["container=docker"],
      host: { ...systemdHost, Binds: [...systemdHost.Binds, `${folder}/units:/etc/systemd/system`] },
    });
  },
  neighbours: "stay",
  // Its systemctl is run inside by the engine.
  withoutEngine: "refuses",
  manager: {
    what: "systemd, and with it the container,",
    lose: async ({ pid }) => void process.kill(pid, "SIGKILL"),
    takesContainer: true,
    // Its processes may be in the last scan still.
    says: /has no processes: it is exited|does not run|no longer holds/,
  },
  bringBack: null,
};

/** Programs in the background of a shell, which nobody manages. */
function unmanaged(
  driver: DriverName,
  labels: Readonly<Record<string, string>>,
  bringBack: RestartRow["bringBack"],
): RestartRow {
  return {
    driver,
    needs: ["docker", "busybox"],
    program: "worker",
    script: "worker",
    prepare: (folder) => {
      writePrograms(folder);
      const argv = ["sh", "-c", inBackground("/app/worker", ...neighbourPaths) + reapsForEver];
      return inside(folder, { argv, labels });
    },
    neighbours: "stay",
    withoutEngine: "refuses",
    manager: null,
    bringBack,
  };
}

const container: RestartRow = {
  driver: "container",
  needs: ["docker", "busybox"],
  program: null,
  script: "init",
  prepare: (folder) => {
    writePrograms(folder);
    return inside(folder, { argv: ["/app/init"] });
  },
  neighbours: "new",
  withoutEngine: "refuses",
  manager: null,
  bringBack: null,
};

/** Every driver; a new one is one more row. */
export const restartRows: readonly RestartRow[] = [
  supervisord,
  supervision("s6", ["/usr/bin/s6-svscan"], /^\/usr\/bin\/s6-svscan/, /^s6-supervise worker$/),
  supervision("runit", ["/usr/bin/runsvdir", "-P"], /^\/usr\/bin\/runsvdir/, /^runsv worker$/),
  systemd,
  unmanaged("label", { "pidward.program.worker.start": "/app/worker" }, null),
  container,
  // A script that is run by its interpreter bears that one's name: a label keeps the program's.
  unmanaged("respawn", { "pidward.program.worker.match": "*/app/worker" }, ["/bin/sh", "/app/worker"]),
  {
    ...unmanaged("namespaces", { "pidward.program.worker.match": "*/app/worker" }, [
      "/bin/sh",
      "/app/worker",
    ]),
    isLast: true,
    withoutEngine: "works",
  },
];

/** Signals the processes of a container with such a command line. @throws Error when there is none */
function signalIn({ id }: TestContainer, command: RegExp, signal: NodeJS.Signals): readonly string[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && isOf(name, id, command));
  if (pids.length === 0) throw new Error(`no process ${command} in ${id}`);
  for (const pid of pids) process.kill(Number(pid), signal);
  return pids;
}

async function killIn(container: TestContainer, command: RegExp): Promise<void> {
  const pids = signalIn(container, command, "SIGKILL");
  await waitFor(`the end of ${command}`, () => !pids.some((pid) => isOf(pid, container.id, command)));
}

function isOf(pid: string, containerId: string, command: RegExp): boolean {
  try {
    if (!readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(containerId)) return false;
    return command.test(readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim());
  } catch {
    // It has ended meanwhile.
    return false;
  }
}
