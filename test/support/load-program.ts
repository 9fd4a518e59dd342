import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { noteStarted } from "./started.ts";

/** Does what its standard input says, line by line, and rests in between: then its figures stand still. */
const script = `
import os, subprocess, sys, threading, time
held, kids = [], []
gate = threading.Event()
for line in sys.stdin:
    what, _, value = line.strip().partition(" ")
    if what == "burn":
        end = time.process_time() + float(value)
        while time.process_time() < end: sum(range(20000))
    elif what == "hold": held.append(b"x" * int(value))
    elif what == "open": held.extend(open("/dev/null") for _ in range(int(value)))
    elif what == "threads":
        for _ in range(int(value)): threading.Thread(target=gate.wait, daemon=True).start()
    elif what == "kid":
        kids.append(subprocess.Popen([value, "-c", "import sys; print(1, flush=True); sys.stdin.read()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        kids[-1].stdout.readline()
    elif what == "exit": break
    print("done", flush=True)
`;

/** Programs of python that bear names of their own, since they are started through links. */
export class LoadPrograms {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), "pidward-load-"));
  private readonly running: LoadProgram[] = [];

  /** A path that runs python under this name. */
  link(name: string): string {
    const link = path.join(this.folder, name);
    symlinkSync("/usr/bin/python3", link);
    return link;
  }

  start(file: string, args: readonly string[] = []): LoadProgram {
    const program = new LoadProgram(file, args);
    this.running.push(program);
    return program;
  }

  async remove(): Promise<void> {
    await Promise.all(this.running.map((program) => program.end()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export class LoadProgram {
  private readonly child: ChildProcess;
  private readonly answers: AsyncIterator<string>;

  constructor(file: string, args: readonly string[]) {
    this.child = spawn(file, ["-c", script, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    if (this.child.pid !== undefined) noteStarted(this.child.pid);
    if (this.child.stdout === null) throw new Error("no pipe");
    this.answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  /** `burn SECONDS`, `hold BYTES`, `open COUNT`, `threads COUNT`, `kid FILE`: gives when it is done. */
  async tell(line: string): Promise<void> {
    this.child.stdin?.write(`${line}\n`);
    const { done } = await this.answers.next();
    if (done === true) throw new Error(`the program has ended at "${line}"`);
  }

  /** Ends it and waits for that; its kids end with their input. */
  async end(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.stdin?.end();
    await ended;
  }
}
