import { readFileSync } from "node:fs";
import { afterEach, expect } from "@jest/globals";
import type { ProcessRecord } from "../../agent/api.ts";
import { isAlive } from "../support/host-process.ts";
import { testWith } from "../support/test-with.ts";
import { useEngine } from "../support/use-engine.ts";
import { waitFor } from "../support/wait-for.ts";

// What a container with the host's cgroups, writable, can claim by them; and what ends while it is acted upon.

const { agent, containers } = useEngine();
const needs = ["docker", "busybox"] as const;
afterEach(() => containers.removeAll());

async function find(query: string, fits: (one: ProcessRecord) => boolean): Promise<ProcessRecord> {
  return waitFor(
    `a process of ${query}`,
    async () => {
      const { json } = await agent.get(`/api/v1/processes?${query}`);
      return json.processes?.find(fits);
    },
    40_000,
  );
}

testWith(
  needs,
  "a process that puts itself into another container's cgroup is neither killed for it nor kept from being told apart",
  async () => {
    const victim = await containers.run({
      argv: ["sh", "-c", "sleep 100001 & while true; do sleep 1; wait; done"],
    });
    const intruder = await containers.run({
      // Zero is the writer itself (cgroups(7)); the sleep is in the victim's cgroup of every hierarchy from its start.
      argv: [
        "sh",
        "-c",
        `( for f in $(find /cgroups -path '*${victim.id}*' -name cgroup.procs); do echo 0 > $f; done; exec sleep 100772 ) & while true; do sleep 1; wait; done`,
      ],
      host: { Binds: ["/sys/fs/cgroup:/cgroups:rw"], SecurityOpt: ["apparmor=unconfined"] },
    });
    const own = await find(`container=${victim.name}`, ({ command }) => command?.[1] === "100001");
    const claimed = await find("name=sleep", ({ command }) => command?.[1] === "100772");
    expect(readFileSync(`/proc/${claimed.pid}/cgroup`, "latin1")).toContain(victim.id);

    const byRef = await agent.cli("kill", claimed.ref, "--signal", "KILL");
    expect(byRef.code).toBe(4);
    expect(byRef.stderr).toContain("shares none of its namespaces");
    const byProgram = await agent.cli("kill", `${victim.name}/sleep`, "--all", "--signal", "KILL");
    expect(isAlive(claimed.pid)).toBe(true);
    expect(isAlive(intruder.pid)).toBe(true);
    // Either only its own are killed or, since the selection holds a stranger, none.
    expect([0, 4]).toContain(byProgram.code);
    await agent.cli("kill", own.ref, "--signal", "KILL");
    await waitFor("the victim's own to be killed", () => !isAlive(own.pid));
    expect(isAlive(claimed.pid)).toBe(true);
  },
  120_000,
);

testWith(
  needs,
  "a container that ends in the middle of acts makes each of them end with an answer, and none hits another",
  async () => {
    const bystander = await containers.run({
      argv: ["sh", "-c", "sleep 100003 & while true; do sleep 1; wait; done"],
    });
    const kept = await find(`container=${bystander.name}`, ({ command }) => command?.[1] === "100003");
    const acts: readonly ((name: string) => readonly string[])[] = [
      // TERM is not heeded, so that the act is under way when the container ends.
      (name) => ["kill", `${name}/busybox`, "--all", "--grace=20s"],
      (name) => ["restart", `${name}/busybox`, "--settle=20s"],
      (name) => ["exec", name, "--", "sleep", "100004"],
    ];
    for (const act of acts) {
      const stubborn = "trap '' TERM; while true; do sleep 1; done";
      const ending = await containers.run({
        argv: ["sh", "-c", `busybox sh -c "${stubborn}" & while true; do sleep 1; wait; done`],
      });
      await find(`container=${ending.name}`, ({ name }) => name === "busybox");
      const audited = agent.audit().length;
      const acting = agent.cli(...act(ending.name));
      await waitFor("the act to begin", () => agent.audit().length > audited);
      await containers.get(ending.id).kill();
      const { code } = await acting;
      // 126 and 137 are the command's own: it could not be started any more, or was killed.
      expect([0, 3, 4, 5, 6, 7, 126, 137]).toContain(code);
      const records = agent.audit().slice(audited);
      expect(records.filter(({ phase }) => phase === "outcome")).toHaveLength(
        records.filter(({ phase }) => phase === "intent").length,
      );
    }
    expect(isAlive(kept.pid)).toBe(true);
    expect((await agent.get("/readyz")).json.ready).toBe(true);
  },
  180_000,
);
