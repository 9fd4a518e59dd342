import { expect, test } from "@jest/globals";
import { findHostRoot, type RootFiles } from "../agent/host-root.ts";

const first = "pid:[4026531836]";

function files(
  links: Readonly<Record<string, string>>,
  ids: Readonly<Record<string, string>> = {},
  mounts: readonly string[] = [],
): RootFiles {
  return {
    readLink: (path) => links[path],
    identify: (path) => ids[path],
    isHostMount: (path) => mounts.includes(path),
  };
}

const inContainer = {
  "/proc/self/ns/mnt": "mnt:[7]",
  "/proc/1/ns/mnt": "mnt:[1]",
  "/proc/1/ns/pid": first,
};

test("on the host itself it is /, whatever is mounted", () => {
  const links = { ...inContainer, "/proc/self/ns/mnt": "mnt:[1]" };
  expect(findHostRoot(files(links, { "/proc/1/root/": "8 2", "/host": "8 2" }, ["/host"]))).toBe("/");
});

test("in a container it is the mount that is the host's root, else the root of PID 1", () => {
  const root = { "/proc/1/root/": "8 2" };
  expect(findHostRoot(files(inContainer, { ...root, "/host": "8 2" }))).toBe("/host");
  expect(findHostRoot(files(inContainer, { ...root, "/host": "9 1", "/rootfs": "8 2" }))).toBe("/rootfs");
  expect(findHostRoot(files(inContainer, { ...root, "/host": "9 1" }, ["/host"]))).toBe("/proc/1/root");
  expect(findHostRoot(files(inContainer, root))).toBe("/proc/1/root");
});

test("without the right to look at PID 1, or without the host's PID namespace, only a mount will do", () => {
  expect(findHostRoot(files({ "/proc/self/ns/mnt": "mnt:[7]" }, {}, ["/host"]))).toBe("/host");
  expect(findHostRoot(files({ "/proc/self/ns/mnt": "mnt:[7]" }))).toBe("/");
  const own = { "/proc/self/ns/mnt": "mnt:[7]", "/proc/1/ns/mnt": "mnt:[7]", "/proc/1/ns/pid": "pid:[9]" };
  expect(findHostRoot(files(own, { "/proc/1/root/": "8 2", "/host": "8 2" }))).toBe("/");
  expect(findHostRoot(files(own, {}, ["/rootfs"]))).toBe("/rootfs");
});
