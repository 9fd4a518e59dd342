import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect } from "@jest/globals";
import { PodMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor";
import { DaemonSet } from "kubernetes-models/apps/v1/DaemonSet";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import { Role } from "kubernetes-models/rbac.authorization.k8s.io/v1/Role";
import { Namespace } from "kubernetes-models/v1/Namespace";
import { Service } from "kubernetes-models/v1/Service";
import { ServiceAccount } from "kubernetes-models/v1/ServiceAccount";
import { parse, parseAllDocuments, stringify } from "yaml";
import { settingRows } from "../../agent/config.ts";
import { testWith } from "../support/test-with.ts";

const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-kubernetes-"));
afterAll(() => rmSync(scratch, { recursive: true }));
const folder = path.join(scratch, "kubernetes");
const modules = path.join(__dirname, "../../node_modules");

// biome-ignore lint/suspicious/noExplicitAny: what is in them is what the tests are about
type Resource = any;

/** Kind → its schema, and where the type of it stands. */
const kinds = {
  Namespace: [Namespace, "kubernetes-models/v1/Namespace"],
  ServiceAccount: [ServiceAccount, "kubernetes-models/v1/ServiceAccount"],
  Role: [Role, "kubernetes-models/rbac.authorization.k8s.io/v1/Role"],
  DaemonSet: [DaemonSet, "kubernetes-models/apps/v1/DaemonSet"],
  Service: [Service, "kubernetes-models/v1/Service"],
  PodMonitor: [PodMonitor, "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor"],
  NetworkPolicy: [NetworkPolicy, "kubernetes-models/networking.k8s.io/v1/NetworkPolicy"],
} as const;

/** As `kubectl apply -k` would send them. */
function build(which: "base" | "web-config"): readonly Resource[] {
  cpSync(path.join(__dirname, "../../deploy/kubernetes"), folder, { recursive: true });
  const client = run("kubectl", ["version", "--client", "-o", "json"]);
  // Debian 12's has a kustomize from before `patches` and folders as resources.
  if (Number.parseInt(JSON.parse(client.stdout).clientVersion.minor, 10) < 21) writeForOldKustomize();
  const { stdout } = run("kubectl", ["kustomize", path.join(folder, which)]);
  return parseAllDocuments(stdout).map((document) => document.toJS());
}

function writeForOldKustomize(): void {
  const file = path.join(folder, "web-config/kustomization.yaml");
  const { patches, resources: bases, ...rest } = parse(readFileSync(file, "utf8"));
  const [strategic, json] = patches;
  const target = { ...json.target, group: "monitoring.coreos.com", version: "v1" };
  const old = { patchesStrategicMerge: [strategic.path], patchesJson6902: [{ ...json, target }] };
  writeFileSync(file, stringify({ ...rest, bases, ...old }));
}

function run(program: string, args: readonly string[]): { stdout: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", timeout: 120_000 });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}: ${stderr}${stdout}`);
  return { stdout };
}

/** What the compiler says of them: unlike the schemas it refuses fields that are not known. */
function findTypeErrors(resources: readonly Resource[]): string {
  const lines = resources.map((resource, index) => {
    const [, module] = kinds[resource.kind as keyof typeof kinds];
    const type = `import(${JSON.stringify(path.join(modules, module))}).I${resource.kind}`;
    return `export const r${index}: ${type} = ${JSON.stringify(resource, null, 1)};`;
  });
  const file = path.join(scratch, "resources.ts");
  writeFileSync(file, lines.join("\n"));
  const flags = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--types", "node"];
  const roots = ["--typeRoots", path.join(modules, "@types"), "--ignoreConfig"];
  const tsc = path.join(modules, "typescript/bin/tsc");
  return spawnSync(process.execPath, [tsc, ...flags, ...roots, file], { encoding: "utf8" }).stdout;
}

const find = (resources: readonly Resource[], kind: keyof typeof kinds): Resource =>
  resources.find((resource) => resource.kind === kind);

for (const which of ["base", "web-config"] as const) {
  testWith(
    ["kubectl"],
    `deploy/kubernetes/${which}: every resource fits its schema and has no field that is not known`,
    async () => {
      const resources = build(which);
      expect(resources.map(({ kind }) => kind).toSorted()).toEqual(Object.keys(kinds).toSorted());
      for (const resource of resources) {
        const [Kind] = kinds[resource.kind as keyof typeof kinds];
        new Kind(resource).validate();
        if (resource.kind !== "Namespace") expect(resource.metadata.namespace).toBe("pidward");
      }
      expect(findTypeErrors(resources)).toBe("");
    },
    180_000,
  );

  testWith(
    ["kubectl"],
    `deploy/kubernetes/${which}: what refers to something finds it`,
    async () => {
      const resources = build(which);
      const { spec } = find(resources, "DaemonSet");
      const { labels } = spec.template.metadata;
      const pod = spec.template.spec;
      const [container] = pod.containers;
      expect(find(resources, "Service").spec.selector).toEqual(labels);
      expect(find(resources, "PodMonitor").spec.selector.matchLabels).toEqual(labels);
      expect(find(resources, "NetworkPolicy").spec.podSelector.matchLabels).toEqual(labels);
      expect(spec.selector.matchLabels).toEqual(labels);
      expect(pod.serviceAccountName).toBe(find(resources, "ServiceAccount").metadata.name);
      expect(container.image).toBe("pidward:local");
      const [port] = container.ports;
      expect(find(resources, "Service").spec.ports[0]).toMatchObject({
        port: port.containerPort,
        targetPort: port.name,
      });
      expect(find(resources, "PodMonitor").spec.podMetricsEndpoints[0].port).toBe(port.name);
      expect(find(resources, "NetworkPolicy").spec.ingress[0].ports[0].port).toBe(port.containerPort);
      const volumes = pod.volumes.map(({ name }: Resource) => name);
      expect(container.volumeMounts.map(({ name }: Resource) => name).toSorted()).toEqual(volumes.toSorted());
      const known = settingRows({ env: {}, uid: 0, home: "/root", hostRoot: "/" }).map(
        ({ environment }) => environment,
      );
      for (const { name } of container.env) expect(known).toContain(name);
      const probes = [container.startupProbe, container.readinessProbe, container.livenessProbe];
      for (const probe of probes)
        expect(probe).toMatchObject(
          which === "base" ? { httpGet: { port: port.name } } : { exec: { command: ["pidward", "health"] } },
        );
    },
    180_000,
  );
}

testWith(["kubectl"], "the agent's pod has no more rights than it needs", async () => {
  const { spec } = find(build("base"), "DaemonSet").spec.template;
  expect(spec).toMatchObject({ hostPID: true, automountServiceAccountToken: false });
  expect(spec).not.toHaveProperty("hostNetwork");
  expect(spec.containers[0].securityContext).toEqual({
    runAsUser: 0,
    runAsGroup: 0,
    readOnlyRootFilesystem: true,
    allowPrivilegeEscalation: false,
    seccompProfile: { type: "RuntimeDefault" },
    appArmorProfile: { type: "Unconfined" },
    capabilities: { drop: ["ALL"], add: ["SYS_PTRACE", "DAC_READ_SEARCH", "KILL", "BPF", "PERFMON"] },
  });
});

testWith(
  ["kubectl"],
  "a field that is not known, and a value that is no good, are found",
  async () => {
    const set = find(build("base"), "DaemonSet");
    set.spec.template.spec.hostPid = true;
    expect(findTypeErrors([set])).toMatch(/hostPid.* does not exist/);
    delete set.spec.template.spec.hostPid;
    set.spec.template.spec.containers[0].ports[0].containerPort = "http";
    expect(() => new DaemonSet(set).validate()).toThrow("containerPort");
  },
  180_000,
);
