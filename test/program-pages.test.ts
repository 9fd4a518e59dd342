import { execFileSync } from "node:child_process";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { unwrittenFileMappings } from "../agent/program-pages.ts";

/** A part of a real /proc/PID/smaps, of which the lines that do not matter are left out. */
const smaps = `
00400000-00b6f000 r--p 00000000 00:1f 123                                /usr/bin/node
Rss:                3660 kB
Anonymous:             0 kB
VmFlags: rd mr mw me sd
00b6f000-00b71000 r-xp 0076f000 00:1f 123                                /usr/bin/node
Anonymous:             8 kB
00b71000-025fd000 r-xp 00771000 00:1f 123                                /usr/bin/a program (deleted)
Anonymous:             0 kB
05635000-05638000 r--p 05235000 00:1f 123                                /usr/bin/node
Anonymous:             8 kB
05638000-05658000 rw-p 05238000 00:1f 123                                /usr/bin/node
Anonymous:             0 kB
1b5e1000-1c3c1000 r--p 00000000 00:00 0                                  [heap]
Anonymous:             0 kB
7f1b8ad00000-7f1b8b300000 r--s 00000000 00:0f 1040                       anon_inode:bpf-map
Anonymous:             0 kB
7f1b8c021000-7f1b90000000 ---p 00000000 00:00 0
Anonymous:             0 kB
ffffffffff600000-ffffffffff601000 r-xp 00000000 00:00 0                  [vsyscall]
Anonymous:             0 kB
`;

test("only what is as it is in a file may be let go", () => {
  expect(unwrittenFileMappings(smaps)).toEqual([
    { address: 0x400000n, length: 0x76f000 },
    { address: 0xb71000n, length: 0x1a8c000 },
  ]);
  expect(unwrittenFileMappings("")).toEqual([]);
});

const built = path.join(__dirname, "../dist");

/** In a process of its own: what it gives up is its program. */
const script = `
const { readFileSync } = require("node:fs");
const { loadSyscalls } = require(${JSON.stringify(built)} + "/syscalls.js");
const { releaseProgramPages } = require(${JSON.stringify(built)} + "/program-pages.js");
const ofFiles = () => Number(/RssFile:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
(async () => {
  const syscalls = await loadSyscalls();
  const before = ofFiles();
  releaseProgramPages(syscalls);
  const after = ofFiles();
  // What it has not done before.
  const zipped = require("node:zlib").gzipSync(Buffer.alloc(1 << 20, "abc"));
  const words = new Intl.NumberFormat("de").format(1234.5);
  console.log(JSON.stringify({ share: after / before, zipped: zipped.length > 0, words }));
})();
`;

test("most of the program's pages are let go, and the program goes on with all that it can", () => {
  const options = { cwd: path.dirname(built), encoding: "utf8" } as const;
  const { share, ...rest } = JSON.parse(execFileSync(process.execPath, ["-e", script], options));
  expect(share).toBeLessThan(0.7);
  expect(rest).toEqual({ zipped: true, words: "1.234,5" });
});
