import { expect, test } from "@jest/globals";
import { type Deployment, findDeployment, grants } from "../../agent/inventory/deployment.ts";
import { type DoctorParts, examineHost } from "../../agent/inventory/doctor.ts";
import { type OwnRights, parseApparmorProfile } from "../../agent/inventory/own-rights.ts";

const id = "c1146e7ccca9ab4436abd69923c07d097b37b762ed21cc3f24584c2f84e77c57";
const deployments = Object.keys(grants) as Deployment[];

interface Changes {
  readonly rights?: Partial<OwnRights>;
  readonly allowNamespaces?: boolean;
  readonly parts?: Partial<DoctorParts>;
}

function partsOf(
  deployment: Deployment,
  { rights: changed, allowNamespaces, parts }: Changes = {},
): DoctorParts {
  const rights: OwnRights = {
    uid: 0,
    capabilities: (1n << 41n) - 1n,
    isHostPidNamespace: true,
    isHostCgroupNamespace: true,
    apparmorProfile: undefined,
    cgroup: "",
    mounts: "",
    hasContainerMark: false,
    ...changed,
  };
  return {
    rights,
    facts: {
      ...rights,
      hasSyscalls: true,
      isEngineThere: true,
      allowNamespaces: allowNamespaces ?? true,
      source: "bpf",
      eventsSource: "bpf",
    },
    deployment,
    sysRoot: "/sys",
    cgroupVersion: "v2",
    source: "bpf",
    sourceReason: null,
    eventsSource: "bpf",
    eventsReason: null,
    runtimes: [],
    syscallsReason: null,
    webConfigReason: null,
    exposure: [],
    ...parts,
  };
}

const complaints = (parts: DoctorParts) =>
  examineHost(parts).filter(({ level }) => level === "missing" || level === "warning");
const remedyOf = (subject: string, parts: DoctorParts) =>
  examineHost(parts).find((finding) => finding.subject === subject)?.remedy;

test("a kernel that refuses the faster program is told with its reason, and nothing is amiss", () => {
  const parts = partsOf("host", { parts: { sourceReason: "pidward_walk cannot be loaded" } });
  expect(complaints(parts)).toEqual([]);
  const found = examineHost(parts).find(({ subject }) => subject === "source");
  expect(found).toMatchObject({
    level: "info",
    message: expect.stringContaining("pidward_walk cannot be loaded"),
  });
  expect(found?.message).toContain("read by bpf");
});

test.each(deployments)("with all rights nothing is missing: %s", (deployment) => {
  expect(complaints(partsOf(deployment))).toEqual([]);
});

test.each(deployments)("each thing that is missing has its remedy: %s", (deployment) => {
  const found = complaints(
    partsOf(deployment, {
      rights: {
        uid: 1000,
        capabilities: 0n,
        isHostPidNamespace: false,
        isHostCgroupNamespace: false,
        apparmorProfile: "docker-default",
      },
      parts: { cgroupVersion: "none" },
    }),
  );
  expect(found.map(({ subject }) => subject)).toEqual([
    "user",
    "PID namespace",
    "cgroup namespace",
    "cgroups",
    "AppArmor",
    "process_details",
    "process_details_other_users",
    "kill_other_users",
    "managers",
    "namespaces_driver",
  ]);
  for (const { remedy } of found) expect(remedy).toMatch(/\S/);
});

test.each<readonly [Deployment, kill: string, pids: string, allow: string]>([
  [
    "docker",
    "start the agent's container with --cap-add=KILL",
    "start the agent's container with --pid=host",
    "start the agent's container with -e PIDWARD_CONTROL_ALLOW_NAMESPACES=true",
  ],
  [
    "compose",
    "in compose.yaml, the agent's service: cap_add: [KILL]",
    "in compose.yaml, the agent's service: pid: host",
    'in compose.yaml, the agent\'s service: environment: {PIDWARD_CONTROL_ALLOW_NAMESPACES: "true"}',
  ],
  [
    "systemd",
    "systemctl edit pidward, [Service]: CapabilityBoundingSet=CAP_KILL",
    "systemctl edit pidward, [Service]: PrivatePIDs=no",
    "in /etc/default/pidward: PIDWARD_CONTROL_ALLOW_NAMESPACES=true",
  ],
  [
    "kubernetes",
    "in the DaemonSet, the agent's container: securityContext.capabilities.add: [KILL]",
    "in the DaemonSet, spec.template.spec: hostPID: true",
    'in the DaemonSet, the agent\'s container: env: [{name: PIDWARD_CONTROL_ALLOW_NAMESPACES, value: "true"}]',
  ],
  [
    "nomad",
    "in the job, the task's config: cap_add = [\"kill\"], which the client's allow_caps must hold",
    'in the job, the task\'s config: pid_mode = "host", which needs allow_privileged in the client\'s plugin "docker"',
    'in the job, the task\'s env: PIDWARD_CONTROL_ALLOW_NAMESPACES = "true"',
  ],
  [
    "swarm",
    "in stack.yaml, environment: add KILL to AGENT_CAPABILITIES",
    "start it by deploy/swarm, which gives it the host's PID namespace",
    'in stack.yaml, environment: PIDWARD_CONTROL_ALLOW_NAMESPACES: "true"',
  ],
])("what is missing is given in the words of %s", (deployment, kill, pids, allow) => {
  const without = ((1n << 41n) - 1n) & ~(1n << 5n);
  expect(remedyOf("kill_other_users", partsOf(deployment, { rights: { capabilities: without } }))).toBe(kill);
  expect(remedyOf("PID namespace", partsOf(deployment, { rights: { isHostPidNamespace: false } }))).toBe(
    pids,
  );
  expect(remedyOf("namespaces_driver", partsOf(deployment, { allowNamespaces: false }))).toBe(allow);
});

test("a signal that fails for the PID namespace is not said to lack a capability", () => {
  const found = examineHost(partsOf("docker", { rights: { isHostPidNamespace: false } }));
  expect(found.find(({ subject }) => subject === "kill_other_users")).toMatchObject({
    level: "missing",
    message: expect.stringContaining("the host's PID namespace"),
  });
});

test("what is wrong with the network is said with its remedy", () => {
  const parts = { webConfigReason: "/etc/web.yml:3: is wrong", exposure: ["HTTP listens on all addresses"] };
  expect(complaints(partsOf("host", { parts }))).toEqual([
    {
      subject: "network",
      level: "missing",
      message: "/etc/web.yml:3: is wrong",
      remedy: expect.stringContaining("mend the file"),
    },
    {
      subject: "network",
      level: "warning",
      message: "HTTP listens on all addresses",
      remedy: expect.stringContaining("--web.config.file"),
    },
  ]);
});

const noContainer = {
  cgroup: "0::/user.slice/user-0.slice/session-1.scope\n",
  mounts: "",
  hasContainerMark: false,
};
const inContainer = { cgroup: `0::/system.slice/docker-${id}.scope\n`, mounts: "", hasContainerMark: true };
const hiddenCgroup = {
  cgroup: "0::/\n",
  mounts: `1 2 0:1 /var/lib/docker/containers/${id}/hostname /etc/hostname rw - ext4 /dev/sda rw\n`,
  hasContainerMark: true,
};
const service = { cgroup: "0::/system.slice/pidward.service\n", mounts: "", hasContainerMark: false };

test.each<
  readonly [
    Deployment,
    string,
    Parameters<typeof findDeployment>[0]["env"],
    typeof noContainer,
    Record<string, string> | undefined,
  ]
>([
  ["host", "a shell", {}, noContainer, undefined],
  ["host", "a shell that inherited a service's id", { INVOCATION_ID: "1" }, noContainer, undefined],
  ["systemd", "a service", { INVOCATION_ID: "1" }, service, undefined],
  ["docker", "a container without labels", {}, inContainer, {}],
  ["docker", "a container that no engine knows", {}, inContainer, undefined],
  ["docker", "only the file that engines leave", {}, { ...noContainer, hasContainerMark: true }, undefined],
  ["compose", "compose's label", {}, inContainer, { "com.docker.compose.project": "x" }],
  ["compose", "the same behind a cgroup namespace", {}, hiddenCgroup, { "com.docker.compose.project": "x" }],
  ["swarm", "the launcher's label", {}, inContainer, { "pidward.launched-by": "swarm" }],
  ["kubernetes", "a pod", { KUBERNETES_SERVICE_HOST: "10.0.0.1" }, inContainer, undefined],
  ["nomad", "a task", { NOMAD_ALLOC_ID: "1" }, inContainer, {}],
])("%s is seen by %s", (expected, _what, env, rights, labels) => {
  const labelsOf = (container: string) => (container === id ? labels : undefined);
  expect(findDeployment({ env, rights, labelsOf })).toBe(expected);
});

test.each([
  ["docker-default (enforce)\n", "docker-default"],
  ["cri-containerd.apparmor.d (enforce)\n", "cri-containerd.apparmor.d"],
  ["unconfined\n", undefined],
  ["mine (complain)\n", undefined],
  ["", undefined],
])("of an AppArmor profile %j what holds is %s", (text, profile) => {
  expect(parseApparmorProfile(text)).toBe(profile);
});
