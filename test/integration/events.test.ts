import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "@jest/globals";
import type { EventRecord, ExitedEvent, ProcessRecord } from "../../agent/api.ts";
import { parseExposition } from "../metrics/parse-exposition.ts";
import { TestAgent } from "../support/agent.ts";
import { newName } from "../support/containers.ts";
import { kernelObstacle } from "../support/kernel.ts";
import { noteStarted } from "../support/started.ts";
import { testWith } from "../support/test-with.ts";
import { useEngine } from "../support/use-engine.ts";
import { waitFor } from "../support/wait-for.ts";

const { agent, containers } = useEngine();
const builtProgram = path.join(__dirname, "../../dist/main.js");

/** What a container's stream of events has told so far. */
interface Told {
  readonly container: string;
  readonly events: () => readonly EventRecord[];
  readonly exits: () => readonly ExitedEvent[];
}

/** Runs something with the events of a container that is not there yet. */
async function withEvents(use: (told: Told) => Promise<void>): Promise<void> {
  const container = newName();
  const request = http.get(`http://${agent.address}/api/v1/events?container=${container}`, { agent: false });
  const [stream] = (await once(request, "response")) as [http.IncomingMessage];
  let text = "";
  stream.setEncoding("utf8").on("data", (chunk) => (text += chunk));
  const events = (): readonly EventRecord[] =>
    [...text.matchAll(/^data: (.*)\n/gm)].map(([, data = ""]) => JSON.parse(data));
  const exits = () => events().filter((event) => event.type === "exited");
  try {
    await use({ container, events, exits });
  } finally {
    request.destroy();
  }
}

/** The figure of a program's family, by the value of its last label. */
async function figures(name: string, container: string, program: string) {
  const { text } = await agent.get("/metrics");
  const own = parseExposition(text).filter(
    ({ name: family, labels }) =>
      family === name && labels.container === container && labels.program === program,
  );
  return Object.fromEntries(
    own
      .filter(({ value }) => value !== 0)
      .map(({ labels, value }) => [labels.reason ?? labels.mode ?? "", value]),
  );
}

testWith(
  ["docker", "busybox"],
  "processes that start and end in a container are told with how they ended",
  () =>
    withEvents(async ({ container: name, events, exits }) => {
      const script = "sleep 1 & (sleep 1.2; exit 3) & sleep 424242 & wait";
      await containers.run({ argv: ["sh", "-c", script], name });
      // The runtime's own processes end in there too.
      await waitFor("the ends", () => {
        const found = exits().map(({ name: comm, exitCode }) => `${comm} ${exitCode}`);
        return found.includes("sleep 0") && found.includes("sh 3");
      });
      // The others may still be in the latest scan.
      const sleeper = await waitFor("the sleeper", async () => {
        const { json } = await agent.get(`/api/v1/processes?container=${name}&name=sleep`);
        return json.processes?.find(({ command }: ProcessRecord) => command?.includes("424242"));
      });
      expect(await agent.cli("kill", sleeper.ref)).toMatchObject({ code: 0 });
      const end = await waitFor("its end", () => exits().find(({ ref }) => ref === sleeper.ref));
      expect(end).toMatchObject({ signal: "SIGTERM", reason: "signal", exitCode: null, program: "sleep" });
      const started = events().find((event) => event.type === "started" && event.ref === sleeper.ref);
      expect(started).toMatchObject({ name: "sleep", command: ["sleep", "424242"], program: "sleep" });
      await waitFor(
        "the count",
        async () => (await figures("pidward_program_exits_total", name, "sleep")).signal === 1,
      );
      const { stdout } = await agent.cli("events", `${name}/sleep`, "--no-follow", "--last=10000");
      expect(stdout).toContain(`${sleeper.ref}  sleep: SIGTERM after `);
    }),
);

const bpf = kernelObstacle("bpf");
const withBpf: typeof testWith = (needs, title, body, limitMs) => {
  if (bpf === undefined) testWith(needs, title, body, limitMs);
  else test.skip(`${title} [not run: ${bpf}]`, body);
};

withBpf(
  ["docker", "busybox"],
  "a storm of short-lived processes is counted to the last, in the right container, with its CPU",
  async () => {
    const storm = (count: number, code: number): readonly string[] => [
      "sh",
      "-c",
      `i=0; while [ $i -lt ${count} ]; do (exit ${code}); i=$((i+1)); done; exec sleep 424242`,
    ];
    const [one, other] = await Promise.all([
      containers.run({ argv: storm(4000, 3) }),
      containers.run({ argv: storm(3000, 0) }),
    ]);
    const counted = (container: string) => figures("pidward_program_exits_total", container, "sh");
    let seen: unknown;
    await waitFor(
      "all ends",
      async () => {
        seen = [await counted(one.name), await counted(other.name)];
        return isDeepStrictEqual(seen, [{ exit_nonzero: 4000 }, { exit_0: 3000 }]);
      },
      120_000,
    ).catch((error: Error) => {
      throw new Error(`${error.message}, seen: ${JSON.stringify(seen)}`);
    });
    expect(await counted(one.name)).toEqual({ exit_nonzero: 4000 });
    expect(await counted(other.name)).toEqual({ exit_0: 3000 });
    const starts = await figures("pidward_program_starts_total", one.name, "sh");
    // The init is a member of the same program until it becomes sleep.
    expect(starts[""]).toBeGreaterThanOrEqual(4000);
    expect(starts[""]).toBeLessThanOrEqual(4001);
    const cpu = await figures("pidward_program_cpu_seconds_total", one.name, "sh");
    expect((cpu.user ?? 0) + (cpu.system ?? 0)).toBeGreaterThan(0.2);
    const { text } = await agent.get("/metrics");
    expect(text).toContain("\npidward_events_lost_total 0\n");
  },
  180_000,
);

withBpf(["docker", "busybox"], "what the OOM killer takes is told as such, and its container named", () =>
  withEvents(async ({ container: name, exits }) => {
    await containers.run({
      argv: ["sh", "-c", "dd if=/dev/zero of=/dev/null bs=200M count=1; sleep 424242"],
      host: { Memory: 16 << 20, MemorySwap: 16 << 20 },
      name,
    });
    const end = await waitFor("its end", () => exits().find(({ oomKilled }) => oomKilled === true));
    expect(end).toMatchObject({ reason: "oom", signal: "SIGKILL" });
    // The second where a scan has met it between fork(2) and execve(2).
    expect(["dd", "sh"]).toContain(end.program);
    expect(end.name).toBe(end.program);
  }),
);

/** An agent and a sleeper of PID 5000 in a PID namespace; at a line of input another sleeper gets the same PID. */
const reuse = `
  "$1" "$2" agent --scan.interval=300ms --control.socket="$3/inside.sock" --audit.file="$3/inside.jsonl" \\
    --docker.socket="$3/none.sock" --web.listen-address=127.0.0.1:0 2>/dev/null & agent=$!
  echo 4999 > /proc/sys/kernel/ns_last_pid; sleep 111111 & echo $!
  read line
  kill -9 5000; wait 5000
  echo 4999 > /proc/sys/kernel/ns_last_pid; sleep 222222 & echo $!
  read line
  kill -TERM $agent; wait $agent`;
const noReuse =
  process.geteuid?.() === 0 && existsSync("/proc/sys/kernel/ns_last_pid")
    ? ""
    : " [not run: it needs root and ns_last_pid]";

(noReuse === "" ? test : test.skip)(
  `a PID that is given again between two scans is a new life, and the old one has ended${noReuse}`,
  async () => {
    const own = new TestAgent();
    const args = ["--pid", "--fork", "--mount-proc", "bash", "-c", reuse, "bash"];
    const inside = spawn("unshare", [...args, process.execPath, builtProgram, own.folder], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const ended = once(inside, "exit");
    if (inside.pid !== undefined) noteStarted(inside.pid);
    try {
      let said = "";
      inside.stdout.on("data", (chunk) => (said += chunk));
      const host = `--host=unix://${own.folder}/inside.sock`;
      const look = (command: string) =>
        waitFor(
          `${command} as process 5000`,
          async () => {
            const { code, stdout } = await own.cli("status", "5000", "--json", host);
            const found: ProcessRecord | undefined = code === 0 ? JSON.parse(stdout) : undefined;
            // Not the shell's: what it is about to become is in its script.
            return found?.command?.[1] === command && found;
          },
          60_000,
        );
      const first = await look("111111");
      inside.stdin.write("on\n");
      const second = await look("222222");
      expect(said).toBe("5000\n5000\n");
      expect(second.startTicks).toBeGreaterThan(first.startTicks);
      expect(await own.cli("status", first.ref, host)).toMatchObject({ code: 3 });
      const told = await waitFor("the end of the first", async () => {
        const { stdout } = await own.cli("events", "--no-follow", "--last=1000", "--json", host);
        const list: readonly EventRecord[] = stdout
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line));
        return list.some((event) => event.type === "exited" && event.ref === first.ref) && list;
      });
      // Outside of the host's PID namespace snapshots are compared, so nobody knows how it ended.
      expect(told).toContainEqual(
        expect.objectContaining({ ref: first.ref, reason: "unknown", signal: null }),
      );
      expect(told).toContainEqual(expect.objectContaining({ ref: second.ref, type: "started" }));
      expect(told.filter((event) => event.type === "exited" && event.pid === 5000)).toHaveLength(1);
    } finally {
      // Ends the shell, which is the first process in there, and with it all others.
      inside.stdin.end();
      await ended;
      await own.remove();
    }
  },
  180_000,
);
