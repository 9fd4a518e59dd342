// What the service in stack.yaml runs on each node: Swarm's services can have neither the host's PID namespace nor
// capabilities beyond the engine's, so this one asks the node's own engine for a container that has. It ends when the agent does,
// and Swarm starts it again; stopped by Swarm, it takes the agent with it; killed, it leaves the agent to the next one.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import process from "node:process";

// It runs in the agent's image, whose packages it takes.
const require = createRequire("/usr/lib/pidward/package.json");
const Modem = require("docker-modem");

const ownerLabel = "pidward.launched-by";
const hashLabel = "pidward.launch-hash";
const stopSeconds = 25;

const env = process.env;
const modem = new Modem({ host: "", socketPath: "/var/run/docker.sock" });
const agent = `/containers/${need("AGENT_NAME")}`;

function need(name) {
  const value = env[name];
  if (value === undefined || value === "")
    fail(`the environment has no ${name}: take it from deploy/swarm/stack.yaml`);
  return value;
}

function fail(message) {
  process.stderr.write(`launch: ${message}\n`);
  process.exit(1);
}

const statusCodes = {
  200: true,
  201: true,
  204: true,
  304: "container already started",
  400: "bad parameter",
  404: "no such container",
  500: "server error",
};

/**
 * Calls the Engine's API. docker-modem makes a query of the options of a path that ends with "?"; those of a POST are its
 * body, too.
 * @throws Error with the engine's `statusCode` when it refuses
 */
function call(method, path, options, isStream = false) {
  return new Promise((resolve, reject) => {
    modem.dial({ method, path, options, isStream, statusCodes }, (error, answer) =>
      error ? reject(error) : resolve(answer),
    );
  });
}

/** What the engine knows of the agent's container; undefined when there is none. */
async function inspectAgent() {
  try {
    return await call("GET", `${agent}/json`);
  } catch (error) {
    if (error.statusCode === 404) return undefined;
    throw error;
  }
}

/** The agent's image is that which this program runs in: so `docker service update --image` is its upgrade. */
async function findOwnImage() {
  const filters = { label: [`com.docker.swarm.task.id=${need("TASK_ID")}`] };
  const [own] = await call("GET", "/containers/json?", { filters });
  return (
    own?.ImageID ?? fail("this is not the task of a Swarm service, or the socket is not that of its engine")
  );
}

/** As deploy/compose.yaml has it (POST /containers/create of the Engine's API). */
function describeAgent(image) {
  return {
    name: need("AGENT_NAME"),
    Image: image,
    Cmd: ["agent"],
    // All settings of the service are the agent's.
    Env: Object.keys(env)
      .filter((name) => name.startsWith("PIDWARD_"))
      .toSorted()
      .map((name) => `${name}=${env[name]}`),
    Labels: { [ownerLabel]: "swarm" },
    HostConfig: {
      PidMode: "host",
      CgroupnsMode: "host",
      NetworkMode: "host",
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      CapAdd: need("AGENT_CAPABILITIES").split(","),
      SecurityOpt: ["no-new-privileges", "apparmor=unconfined"],
      Binds: need("AGENT_BINDS").trim().split(/\s+/),
      RestartPolicy: { Name: "no" },
    },
  };
}

async function removeAgent() {
  try {
    await call("POST", `${agent}/stop?`, { t: stopSeconds });
  } catch (error) {
    // 304: it has ended by itself; 404: somebody was faster.
    if (![304, 404].includes(error.statusCode)) throw error;
  }
  try {
    await call("DELETE", `${agent}?`, { force: true });
  } catch (error) {
    if (![404, 409].includes(error.statusCode)) throw error;
  }
}

/**
 * Lets the agent of an earlier run go on where nothing about it has changed.
 * @returns since when its log is new, in seconds since the epoch
 */
async function startAgent() {
  const wanted = describeAgent(await findOwnImage());
  const hash = createHash("sha256").update(JSON.stringify(wanted)).digest("hex");
  const found = await inspectAgent();
  if (found !== undefined && found.Config.Labels[ownerLabel] !== "swarm")
    fail(
      `a container "${wanted.name}" is there that is not of this service: remove it, or give another AGENT_NAME`,
    );
  if (found?.State.Running && found.Config.Labels[hashLabel] === hash) {
    say("the agent runs already");
    return Math.floor(Date.now() / 1000);
  }
  if (found !== undefined) await removeAgent();
  const labels = { ...wanted.Labels, [hashLabel]: hash };
  await call("POST", "/containers/create?", { ...wanted, Labels: labels });
  await call("POST", `${agent}/start`);
  say("started the agent");
  return 0;
}

function say(message) {
  process.stdout.write(`launch: ${message}\n`);
}

/** The agent's log becomes the service's. */
async function followLog(since) {
  const query = { follow: true, stdout: true, stderr: true, since };
  const stream = await call("GET", `${agent}/logs?`, query, true);
  modem.demuxStream(stream, process.stdout, process.stderr);
}

async function launch() {
  let isStopping = false;
  const started = startAgent();
  const stop = async () => {
    isStopping = true;
    // What is under way is finished first, so that it is not left behind.
    await started.catch(() => {});
    await removeAgent();
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT"])
    process.once(signal, () =>
      stop().catch((error) => fail(`the agent cannot be stopped: ${error.message}`)),
    );
  await followLog(await started);
  const { StatusCode: code } = await call("POST", `${agent}/wait`);
  if (!isStopping) fail(`the agent ended with code ${code}`);
}

/** For the service's health check: what the engine says of the agent's own. */
async function examine() {
  const found = await inspectAgent();
  if (found?.State.Health?.Status === "unhealthy" || !found?.State.Running)
    fail(`the agent is ${found?.State.Health?.Status ?? "not there"}`);
}

const run = process.argv[2] === "--health" ? examine : launch;
run().catch((error) => fail(error.message));
