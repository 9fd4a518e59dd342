import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { capabilityNames, parsePrivileges } from "../../agent/source/procfs/privileges.ts";

const sample = `Name:\thttpd
Umask:\t0022
CapInh:\t0000000000000000
CapPrm:\t00000000a80425fb
CapEff:\t00000000a80425fb
CapBnd:\t000001ffffffffff
CapAmb:\t0000000000002000
NoNewPrivs:\t0
Seccomp:\t2
Seccomp_filters:\t1
`;

test("capabilities and seccomp are read", () => {
  expect(parsePrivileges(sample)).toEqual({
    umask: 0o22,
    inheritable: 0n,
    permitted: 0xa80425fbn,
    noNewPrivileges: false,
    effective: 0xa80425fbn,
    bounding: 0x1ffffffffffn,
    ambient: 0x2000n,
    seccomp: 2,
    seccompFilters: 1,
  });
});

test("a kernel without seccomp filters nothing, and without a set of capabilities there is nothing", () => {
  const old = sample.replace(/Seccomp.*\n/g, "");
  expect(parsePrivileges(old)).toMatchObject({ seccomp: null, seccompFilters: 0 });
  expect(parsePrivileges(sample.replace(/CapBnd.*\n/, ""))).toBeUndefined();
  expect(parsePrivileges(sample.replace("CapAmb:\t0", "CapAmb:\tx"))).toBeUndefined();
});

test("the kernel's own text is understood", () => {
  const own = parsePrivileges(readFileSync("/proc/self/status", "utf8"));
  expect(own).toBeDefined();
  expect((own?.effective ?? 0n) & ~(own?.bounding ?? 0n)).toBe(0n);
});

test("any text is privileges or nothing", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void parsePrivileges(text)));
});

test("a name forges nothing: the kernel escapes its line feeds", () => {
  for (const name of ["\rCapEff:\tff", "\u2028CapEff:\tff", "CapEff:\tff", "x\\nCapEff:\tff"])
    expect(parsePrivileges(sample.replace("httpd", name))).toMatchObject({ effective: 0xa80425fbn });
});

test("capabilities have their names, and newer ones their numbers", () => {
  expect(capabilityNames(0n)).toEqual([]);
  expect(capabilityNames((1n << 0n) | (1n << 13n) | (1n << 21n))).toEqual([
    "CAP_CHOWN",
    "CAP_NET_RAW",
    "CAP_SYS_ADMIN",
  ]);
  expect(capabilityNames((1n << 38n) | (1n << 39n) | (1n << 40n) | (1n << 63n))).toEqual([
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
    "CAP_63",
  ]);
});
