import { randomBytes } from "node:crypto";
import Docker from "dockerode";
import { fatImage } from "./images.ts";
import { unlessGone } from "./when-gone.ts";

export interface TestContainerOptions {
  /** Run as it is: an argument vector. */
  readonly argv: readonly string[];
  /** One of its own when left out. */
  readonly name?: string;
  readonly image?: string;
  readonly user?: string;
  readonly env?: readonly string[];
  readonly workdir?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly host?: Docker.HostConfig;
}

export interface TestContainer {
  readonly id: string;
  readonly name: string;
  /** Host PID of its init. */
  readonly pid: number;
}

/** For a container that is known before it is there. */
export function newName(): string {
  return `pidward-${randomBytes(4).toString("hex")}`;
}

/** Containers of one test file, all removed at its end. */
export class TestContainers {
  readonly docker: Docker;
  private readonly made: Docker.Container[] = [];

  /** @param socket of the engine; that which all tests share when left out */
  constructor(socket = process.env.PIDWARD_TEST_ENGINE ?? "") {
    this.docker = new Docker({ host: "", socketPath: socket });
  }

  async run(options: TestContainerOptions): Promise<TestContainer> {
    const name = options.name ?? newName();
    const container = await this.docker.createContainer({
      name,
      Image: options.image ?? fatImage,
      Entrypoint: [],
      Cmd: [...options.argv],
      ...(options.user === undefined ? {} : { User: options.user }),
      ...(options.workdir === undefined ? {} : { WorkingDir: options.workdir }),
      Env: ["PATH=/bin", ...(options.env ?? [])],
      Labels: { ...options.labels },
      HostConfig: { NetworkMode: "none", ...options.host },
    });
    this.made.push(container);
    await container.start();
    const { Id: id, State: state } = await container.inspect();
    return { id, name, pid: state.Pid };
  }

  get(id: string): Docker.Container {
    return this.docker.getContainer(id);
  }

  /** Runs a command in a container beside its init, as another would with `docker exec -d`. */
  async exec(id: string, argv: readonly string[]): Promise<void> {
    const exec = await this.get(id).exec({ Cmd: [...argv] });
    (await exec.start({ Detach: true })).resume();
  }

  /** Of one that its test has removed. */
  forget(id: string): void {
    const at = this.made.findIndex((one) => one.id === id);
    if (at >= 0) this.made.splice(at, 1);
  }

  async removeAll(): Promise<void> {
    for (const container of this.made.splice(0)) {
      // A test may have removed it itself.
      await unlessGone(container.remove({ force: true, v: true }));
    }
  }
}
