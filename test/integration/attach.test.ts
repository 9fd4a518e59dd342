import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterEach, expect, test } from "@jest/globals";
import { TestAgent } from "../support/agent.ts";
import type { TestContainer } from "../support/containers.ts";
import { staticImage } from "../support/images.ts";
import { pidsOf } from "../support/running.ts";
import { TestTerminal } from "../support/test-terminal.ts";
import { testWith } from "../support/test-with.ts";
import { useEngine } from "../support/use-engine.ts";
import { waitFor } from "../support/wait-for.ts";

const { agent, containers } = useEngine();
const needs = ["docker", "busybox"] as const;
const talking = ["sh", "-c", "while true; do echo own; usleep 100000; wait; done"];

let open: TestTerminal[] = [];
afterEach(() => {
  for (const terminal of open) terminal.socket.terminate();
  open = [];
});

async function start(argv = talking, image?: string): Promise<TestContainer> {
  const container = await containers.run({ argv, ...(image === undefined ? {} : { image }) });
  await waitFor(
    "the container",
    async () => (await agent.get(`/api/v1/containers/${container.name}`)).status === 200,
  );
  return container;
}

async function attach(
  container: string,
  argv: readonly string[],
  more: Readonly<Record<string, string>> = {},
  socket = agent.socket,
): Promise<TestTerminal> {
  const terminal = await TestTerminal.open(socket, { container, argv, ...more });
  if (!(terminal instanceof TestTerminal)) throw new Error(`refused: ${terminal.body}`);
  open.push(terminal);
  return terminal;
}

const refused = async (query: Readonly<Record<string, string>>, headers = {}) => {
  const answer = await TestTerminal.open(agent.socket, query, headers);
  if (answer instanceof TestTerminal) throw new Error("it was not refused");
  return JSON.parse(answer.body);
};

const there = (command: string) => waitFor(command, () => pidsOf(command)[0]);
const gone = (command: string) => waitFor(`the end of ${command}`, () => pidsOf(command).length === 0);

/** The terminal of a new session is as it should be: it echoes, edits lines and ends lines properly. */
async function expectSane(container: string): Promise<void> {
  const shell = await attach(container, ["sh"]);
  shell.type("stty -a; echo e''nd\r");
  const [text] = await shell.see(/[\s\S]*end\r\n/);
  expect(text).toContain("echo e''nd\r\n");
  expect(text.split(/\s+/)).toEqual(expect.arrayContaining(["icanon", "echo", "opost", "isig", "icrnl"]));
  shell.type("exit 0\r");
  expect(await shell.ended()).toBe(0);
}

testWith(
  needs,
  "a session has a real terminal of the size that was asked for, and learns of new sizes",
  async () => {
    const web = await start();
    const shell = await attach(web.name, ["sh"], { cols: "101", rows: "33", user: "app", workdir: "/srv" });
    shell.type("tty; id -un; pwd\r");
    await shell.see(/\/dev\/pts\/\d+\r\napp\r\n\/srv\r\n/);
    await waitFor("the first size", async () => {
      shell.type("stty size\r");
      return /^33 101\r$/m.test(shell.text);
    });
    shell.order({ type: "resize", cols: 77, rows: 22 });
    await waitFor("the new size", async () => {
      shell.type("stty size\r");
      return /^22 77\r$/m.test(shell.text);
    });
    shell.type("exit 42\r");
    expect(await shell.ended()).toBe(42);
    expect(shell.notice).toEqual({ type: "exit", exitCode: 42 });
  },
);

testWith(needs, "sessions side by side never see each other's bytes", async () => {
  const web = await start();
  const names = ["alfa", "bravo", "charlie", "delta"];
  const shells = await Promise.all(names.map(() => attach(web.name, ["cat"])));
  for (let round = 0; round < 20; round++) {
    for (const [index, shell] of shells.entries()) shell.type(`${names[index]} ${round}\r`);
  }
  for (const [index, shell] of shells.entries()) {
    await shell.see(new RegExp(`${names[index]} 19\\r\\n[\\s\\S]*${names[index]} 19\\r\\n`));
    for (const other of names) if (other !== names[index]) expect(shell.text).not.toContain(other);
    shell.type("\u0004");
    expect(await shell.ended()).toBe(0);
  }
});

testWith(needs, "bytes of every value come through raw, and pasted text is not lost", async () => {
  const web = await start();
  const cat = await attach(web.name, ["sh", "-c", "stty raw -echo; echo ready; exec cat"]);
  await cat.see(/ready/);
  const every = Buffer.from(Array.from({ length: 256 }, (_, index) => index)).toString("latin1");
  const before = cat.received;
  // More than terminal and engine hold: the client is held back meanwhile.
  for (let round = 0; round < 2_000; round++) cat.type(every);
  await waitFor("all bytes", () => cat.received >= before + 2_000 * 256, 30_000);
  expect(cat.received).toBe(before + 2_000 * 256);
  expect(cat.text.slice(-512)).toBe(every + every);
});

testWith(
  needs,
  'a complaint that does not hold: "interactive programs disturb the session"',
  async () => {
    const web = await start();
    const quitting = await attach(web.name, ["vi", "/tmp/text"]);
    await quitting.see(/~/);
    quitting.type("ihello");
    await quitting.see(/hello/);
    // Alone, or it begins a function key.
    quitting.type("\u001b");
    await quitting.see(/\[Modified\]/);
    quitting.type(":wq\r");
    expect(await quitting.ended()).toBe(0);
    await expectSane(web.name);
    const top = await attach(web.name, ["top"]);
    await top.see(/CPU/);
    top.type("q");
    expect(await top.ended()).toBe(0);
    await expectSane(web.name);
    // Killed in the middle, with the terminal in raw mode.
    for (const argv of [
      ["vi", "/tmp/other"],
      ["top", "-d", "70041"],
    ]) {
      const killed = await attach(web.name, argv);
      await killed.see(/~|CPU/);
      killed.socket.terminate();
      await gone(argv.join(" "));
      await expectSane(web.name);
    }
  },
  120_000,
);

testWith(
  needs,
  'a complaint that does not hold: "results mix with the container\'s own output and logs"',
  async () => {
    const web = await start();
    const shell = await attach(web.name, [
      "sh",
      "-c",
      "for i in 1 2 3 4 5; do echo result; usleep 100000; done",
    ]);
    expect(await shell.ended()).toBe(0);
    expect(shell.text).toBe("result\r\n".repeat(5));
    const logs = (await containers.get(web.id).logs({ stdout: true, stderr: true })).toString("latin1");
    expect(logs).toContain("own");
    expect(logs).not.toContain("result");
  },
);

testWith(
  needs,
  'complaints that do not hold: "it needs a shell inside", "a prompt comes along"',
  async () => {
    const bare = await start(["/sleep", "100001"], staticImage);
    const sleep = await attach(bare.name, ["/sleep", "1"]);
    expect(await sleep.ended()).toBe(0);
    expect(sleep.text).toBe("");
    const none = await attach(bare.name, ["sh"]);
    expect([126, 127]).toContain(await none.ended());
    expect(none.text).toContain("executable file not found");
  },
);

testWith(
  needs,
  "closing a session ends its process and what came from it; what ends by itself leaves a daemon alone",
  async () => {
    const web = await start();
    const shell = await attach(web.name, ["sh"]);
    shell.type("(sleep 70051 &); sleep 70052 & sleep 70053\r");
    const pid = await there("sleep 70053");
    shell.close();
    await gone("sleep 70053");
    for (const one of ["sleep 70051", "sleep 70052"]) await gone(one);
    await waitFor("its entry to be reaped", () => !existsSync(`/proc/${pid}`));
    const stubborn = await attach(web.name, ["sh", "-c", "trap '' HUP TERM; sleep 70054; sleep 70055"]);
    await there("sleep 70054");
    stubborn.socket.terminate();
    await waitFor("the record", () => {
      const last = agent.audit().at(-1);
      return last?.message === "the client went away" && last.exitCode === 137;
    });
    expect([pidsOf("sleep 70054"), pidsOf("sleep 70055")]).toEqual([[], []]);
    const leaving = await attach(web.name, [
      "sh",
      "-c",
      "setsid sleep 70056 >/dev/null 2>&1 & usleep 1000000",
    ]);
    await there("sleep 70056");
    expect(await leaving.ended()).toBe(0);
    expect(pidsOf("sleep 70056")).toHaveLength(1);
  },
);

testWith(
  needs,
  "a reader that is slow holds its command back, and gets every byte in the end",
  async () => {
    const web = await start();
    const residentMiB = (): number =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${agent.pid}/status`, "utf8"))?.[1]) / 1024;
    const before = residentMiB();
    const total = 100_000_000;
    const slow = await attach(web.name, ["head", "-c", String(total), "/dev/zero"]);
    slow.socket.pause();
    const pid = await there(`head -c ${total} /dev/zero`);
    const written = (): number => Number(/wchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);
    let last = -1;
    let stills = 0;
    await waitFor(
      "the command to be held back",
      () => {
        const now = written();
        stills = now === last ? stills + 1 : 0;
        last = now;
        return stills >= 40;
      },
      120_000,
    );
    expect(written()).toBeLessThan(total / 2);
    expect(residentMiB() - before).toBeLessThan(80);
    slow.socket.resume();
    await waitFor("all bytes", () => slow.closed, 120_000);
    expect(slow.received).toBe(total);
    expect(slow.notice).toEqual({ type: "exit", exitCode: 0 });
  },
  300_000,
);

testWith(needs, "a session is audited with its argument vector before and its exit code after", async () => {
  const web = await start();
  const shell = await attach(web.name, ["sh", "-c", "exit 5"], { user: "app" });
  expect(await shell.ended()).toBe(5);
  const outcome = await waitFor("the outcome", () => {
    const record = agent.audit().at(-1);
    return record?.phase === "outcome" ? record : undefined;
  });
  expect(outcome).toMatchObject({
    action: "attach",
    container: web.id,
    how: "as app",
    argv: ["sh", "-c", "exit 5"],
    outcome: "done",
    exitCode: 5,
    message: null,
  });
  expect(agent.audit().at(-2)).toMatchObject({ id: outcome.id, phase: "intent" });
});

testWith(
  needs,
  "pages of other sites, paused containers and wrong queries are refused in words",
  async () => {
    const web = await start();
    const query = { container: web.name, argv: "sh" };
    expect(await refused(query, { origin: "https://evil.example" })).toMatchObject({
      status: 403,
      code: "no_rights",
    });
    expect(await refused({ container: web.name })).toMatchObject({ status: 400, field: "argv" });
    expect(await refused({ ...query, rows: "0" })).toMatchObject({ status: 400, field: "rows" });
    expect(await refused({ ...query, container: "nosuch" })).toMatchObject({ status: 404 });
    const own = await TestTerminal.open(
      agent.socket,
      { ...query, argv: ["true"] },
      { origin: "http://pidward" },
    );
    if (!(own instanceof TestTerminal)) throw new Error(own.body);
    // A container that is paused while the engine starts a command in it makes the engine hang.
    expect(await own.ended()).toBe(0);
    await containers.get(web.id).pause();
    expect(await refused(query)).toMatchObject({ status: 409, code: "not_running" });
    await containers.get(web.id).unpause();
  },
);

testWith(
  needs,
  "an idle session and an old one are ended, and say why; so are all when the agent stops",
  async () => {
    const web = await start();
    const strict = new TestAgent();
    try {
      // Both begin before the engine has started the command.
      const args = ["--attach.idle-timeout=5s", "--attach.max-duration=10s", "--scan.interval=200ms"];
      await strict.start({ engine: process.env.PIDWARD_TEST_ENGINE ?? "", args });
      const idle = await attach(web.name, ["sleep", "70061"], {}, strict.socket);
      expect(await idle.ended()).toBe("failed");
      expect(idle.notice).toMatchObject({ detail: expect.stringContaining("--attach.idle-timeout") });
      await gone("sleep 70061");
      const busy = await attach(
        web.name,
        ["sh", "-c", "while true; do echo; usleep 100000; done"],
        {},
        strict.socket,
      );
      await busy.ended();
      expect(busy.notice).toMatchObject({ detail: expect.stringContaining("--attach.max-duration") });
    } finally {
      const last = await attach(
        web.name,
        ["sh", "-c", "while usleep 90001; do echo; done"],
        {},
        strict.socket,
      );
      await strict.remove();
      expect(await last.ended()).toBe("unavailable");
      await gone("sh -c while usleep 90001; do echo; done");
    }
  },
  120_000,
);

/** The command line on a terminal of its own, as script(1) gives it. */
async function onTerminal(
  command: string,
  input: (type: (text: string) => void) => Promise<void>,
): Promise<string> {
  const main = `${process.execPath} ${path.join(__dirname, "../../dist/main.js")}`;
  const child = spawn("script", ["-qec", command.replace("pidward ", `${main} `), "/dev/null"], {
    env: { ...process.env, PIDWARD_HOST: `unix://${agent.socket}`, TERM: "xterm" },
  });
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += chunk;
  });
  const ended = once(child, "close");
  await input((typed) => child.stdin.write(typed));
  await ended;
  return text;
}

const onTerminalTitle = "exec -it is a terminal on the terminal here, which is put back as it was";
const onTerminalTest = async () => {
  const web = await start();
  const command = `stty rows 44 cols 133; pidward exec -it ${web.name} -- sh; echo code $?; stty -a`;
  const text = await onTerminal(command, async (type) => {
    await there("sh");
    type("stty size; tty; sleep 1; stty size\r");
    type("exit 7\r");
  });
  expect(text).toMatch(/44 133/);
  expect(text).toMatch(/\/dev\/pts\/\d+/);
  expect(text).toContain("code 7");
  const after = text.slice(text.indexOf("code 7"));
  expect(after.split(/\s+/)).toEqual(expect.arrayContaining(["icanon", "echo", "opost", "isig"]));
};

if (existsSync("/usr/bin/script")) testWith(needs, onTerminalTitle, onTerminalTest);
else test.skip(`${onTerminalTitle} [not run: there is no script(1)]`, () => {});

testWith(needs, "exec -t without a terminal says so", async () => {
  const { code, stderr } = await agent.cli("exec", "-it", "web", "--", "sh");
  expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining("needs a terminal") });
});
