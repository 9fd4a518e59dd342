import { parseCgroupFile } from "../containers/cgroup-path.ts";
import type { Capability } from "./features.ts";
import type { OwnRights } from "./own-rights.ts";

export type Deployment = "host" | "systemd" | "docker" | "compose" | "swarm" | "kubernetes" | "nomad";

/** The label that deploy/swarm gives to the containers that it starts. */
const swarmLabel = "pidward.launched-by";

export interface DeploymentFacts {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly rights: Pick<OwnRights, "cgroup" | "mounts" | "hasContainerMark">;
  /** Labels of a container, by its id; undefined while the engine does not know it. */
  readonly labelsOf: (containerId: string) => Readonly<Record<string, string>> | undefined;
}

/** How this process was started, as its surroundings tell. */
export function findDeployment({ env, rights, labelsOf }: DeploymentFacts): Deployment {
  if (env.KUBERNETES_SERVICE_HOST !== undefined) return "kubernetes";
  if (env.NOMAD_ALLOC_ID !== undefined) return "nomad";
  const containerId = findOwnContainer(rights);
  if (containerId === undefined && !rights.hasContainerMark) {
    // systemd.exec(5) gives INVOCATION_ID to services, and login shells may inherit it: those are in a scope.
    const isService = /\.service$/m.test(rights.cgroup) && env.INVOCATION_ID !== undefined;
    return isService ? "systemd" : "host";
  }
  const labels = (containerId === undefined ? undefined : labelsOf(containerId)) ?? {};
  if (labels[swarmLabel] === "swarm") return "swarm";
  return labels["com.docker.compose.project"] === undefined ? "docker" : "compose";
}

/** By the cgroup, else (where its namespace hides that) by the files that the engine mounts into every container. */
function findOwnContainer({ cgroup, mounts }: DeploymentFacts["rights"]): string | undefined {
  return (
    parseCgroupFile(cgroup)?.containerId ??
    /\/containers\/([0-9a-f]{64})\/(?:hostname|hosts|resolv\.conf) /.exec(mounts)?.[1]
  );
}

/** What may be given to the agent, and how it is said where it was started. */
export interface Grants {
  readonly capabilities: (names: readonly Capability[]) => string;
  readonly hostPids: string;
  readonly hostCgroups: string;
  readonly hostSys: string;
  readonly engineSocket: string;
  readonly root: string;
  readonly unconfined: string;
  /** Restarts without an engine. */
  readonly namespaces: string;
}

const socket = "/var/run/docker.sock";
const allow = "PIDWARD_CONTROL_ALLOW_NAMESPACES";
const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(", ");

const run = "start the agent's container with";
const service = "in compose.yaml, the agent's service:";
const daemonSet = "in the DaemonSet, the agent's container:";
const task = "in the job, the task's config:";
const unit = "systemctl edit pidward, [Service]:";

/** Where and how, for each deployment. */
export const grants: Readonly<Record<Deployment, Grants>> = {
  host: {
    capabilities: (names) => `run it as root with ${names.map((name) => `CAP_${name}`).join(", ")}`,
    hostPids: "run it outside of any container",
    hostCgroups: "run it outside of any container",
    hostSys: "mount /sys/fs/cgroup, or say by --path.sysfs where it is",
    engineSocket: "start the engine, or say where it is with --docker.socket or DOCKER_HOST",
    root: "run the agent as root, or with the capabilities below",
    unconfined: "run it without the profile (aa-exec -p unconfined)",
    namespaces: "start the agent with --control.allow-namespaces",
  },
  systemd: {
    capabilities: (names) => `${unit} CapabilityBoundingSet=${names.map((name) => `CAP_${name}`).join(" ")}`,
    hostPids: `${unit} PrivatePIDs=no`,
    hostCgroups: `${unit} ProtectControlGroups=yes, not private or strict`,
    hostSys: "mount /sys/fs/cgroup, or say by PIDWARD_PATH_SYSFS where it is",
    engineSocket: "start the engine, or say in /etc/default/pidward where it is: PIDWARD_DOCKER_SOCKET=FILE",
    root: `${unit} User=root`,
    unconfined: `${unit} AppArmorProfile=unconfined`,
    namespaces: `in /etc/default/pidward: ${allow}=true`,
  },
  docker: {
    capabilities: (names) => `${run} ${names.map((name) => `--cap-add=${name}`).join(" ")}`,
    hostPids: `${run} --pid=host`,
    hostCgroups: `${run} --cgroupns=host`,
    hostSys: `${run} -v /:/host:ro`,
    engineSocket: `${run} -v ${socket}:${socket}, or say where it is with --docker.socket`,
    root: `${run} --user=0`,
    unconfined: `${run} --security-opt=apparmor=unconfined`,
    namespaces: `${run} -e ${allow}=true`,
  },
  compose: {
    capabilities: (names) => `${service} cap_add: [${names.join(", ")}]`,
    hostPids: `${service} pid: host`,
    hostCgroups: `${service} cgroup: host`,
    hostSys: `${service} volumes: ["/:/host:ro"]`,
    engineSocket: `${service} volumes: ["${socket}:${socket}"]`,
    root: `${service} user: "0"`,
    unconfined: `${service} security_opt: ["apparmor:unconfined"]`,
    namespaces: `${service} environment: {${allow}: "true"}`,
  },
  swarm: {
    capabilities: (names) => `in stack.yaml, environment: add ${names.join(",")} to AGENT_CAPABILITIES`,
    hostPids: "start it by deploy/swarm, which gives it the host's PID namespace",
    hostCgroups: "start it by deploy/swarm, which gives it the host's cgroup namespace",
    hostSys: "start it by deploy/swarm, which mounts the host's root",
    engineSocket: `in stack.yaml, environment: AGENT_BINDS with ${socket}:${socket}`,
    root: "leave USER out of the image: deploy/swarm sets none",
    unconfined: "start it by deploy/swarm, which sets apparmor=unconfined",
    namespaces: `in stack.yaml, environment: ${allow}: "true"`,
  },
  kubernetes: {
    capabilities: (names) => `${daemonSet} securityContext.capabilities.add: [${names.join(", ")}]`,
    hostPids: "in the DaemonSet, spec.template.spec: hostPID: true",
    hostCgroups: `${daemonSet} securityContext.privileged: true (there is no narrower field)`,
    hostSys: `${daemonSet} volumeMounts: a hostPath volume of / at /host, readOnly: true`,
    engineSocket: `${daemonSet} volumeMounts: a hostPath volume of ${socket}, where the node has Docker`,
    root: `${daemonSet} securityContext.runAsUser: 0`,
    unconfined: `${daemonSet} securityContext.appArmorProfile: {type: Unconfined}`,
    namespaces: `${daemonSet} env: [{name: ${allow}, value: "true"}]`,
  },
  nomad: {
    capabilities: (names) =>
      `${task} cap_add = [${quoted(names.map((name) => name.toLowerCase()))}], which the client's allow_caps must hold`,
    hostPids: `${task} pid_mode = "host", which needs allow_privileged in the client's plugin "docker"`,
    hostCgroups: `${task} cgroupns = "host"`,
    hostSys: `${task} volumes = ["/:/host:ro"]`,
    engineSocket: `${task} volumes = ["${socket}:${socket}"]`,
    root: 'in the job, the task: user = "root"',
    unconfined: `${task} security_opt = ["apparmor=unconfined"]`,
    namespaces: `in the job, the task's env: ${allow} = "true"`,
  },
};
