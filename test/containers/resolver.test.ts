import { expect, test } from "@jest/globals";
import { containerCgroups, createContainerResolver } from "../../agent/containers/resolver.ts";
import type { Container } from "../../agent/model.ts";
import { makeContainer } from "../inventory/table.ts";

const web = makeContainer("a".repeat(64), { name: "web" });
const inner = "b".repeat(64);

function resolverOf(...lists: (readonly Container[])[]) {
  return createContainerResolver(lists.map((list) => ({ list: () => list })));
}

test("a known container is its own authority", () => {
  expect(resolverOf([web]).resolve(`0::/docker/${web.id}`)).toEqual({
    container: web,
    authority: web,
    nesting: [web.id],
  });
});

test("an unknown container inside a known one is shown, and the outer one answers for it", () => {
  const resolved = resolverOf([web]).resolve(`0::/docker/${web.id}/docker/${inner}`);
  expect(resolved).toMatchObject({
    container: { id: inner, known: false },
    authority: { name: "web" },
    nesting: [web.id, inner],
  });
});

test("a container that no runtime knows has no authority", () => {
  const resolved = resolverOf([web]).resolve(`0::/docker/${inner}`);
  expect(resolved).toMatchObject({ container: { id: inner, known: false, name: null }, authority: null });
});

test("the first runtime that knows an id has it", () => {
  const twin = makeContainer(web.id, { name: "twin" });
  expect(resolverOf([web], [twin]).resolve(`0::/docker/${web.id}`)?.container.name).toBe("web");
});

test("what the runtimes learn later counts, and what they forget does not", () => {
  let list: readonly Container[] = [];
  const resolver = createContainerResolver([{ list: () => list }]);
  const text = `0::/docker/${web.id}`;
  expect(resolver.resolve(text)?.authority).toBeNull();
  list = [web];
  expect(resolver.resolve(text)?.authority).toBe(web);
  list = [];
  resolver.sweep();
  expect(resolver.resolve(text)?.authority).toBeNull();
});

test("a process of the host is in no container", () => {
  expect(resolverOf([web]).resolve("0::/init.scope")).toBeUndefined();
});

test("the container's own cgroup is found in each hierarchy, whatever it made below", () => {
  const text = `4:memory:/docker/${web.id}/sub\n3:cpu,cpuacct:/docker/${web.id}\n1:name=systemd:/\n0::/\n`;
  expect(containerCgroups(text)).toEqual({
    unified: undefined,
    byController: new Map([
      ["memory", `/docker/${web.id}`],
      ["cpu", `/docker/${web.id}`],
      ["cpuacct", `/docker/${web.id}`],
    ]),
  });
});
