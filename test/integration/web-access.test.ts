import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import https from "node:https";
import os from "node:os";
import path from "node:path";
import tlsModule from "node:tls";
import { afterAll, afterEach, beforeAll, expect } from "@jest/globals";
import { WebSocket } from "ws";
import { TestAgent } from "../support/agent.ts";
import { hasParts } from "../support/parts.ts";
import { testWith } from "../support/test-with.ts";
import { waitFor } from "../support/wait-for.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "pidward-web-"));
const at = (name: string): string => path.join(folder, name);
const agent = new TestAgent();
afterEach(() => agent.remove());
afterAll(() => rmSync(folder, { recursive: true }));

function openssl(...args: readonly string[]): void {
  const { status, stderr } = spawnSync("openssl", args, { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
}

/** A certificate of an own authority, made on the spot. */
function certify(name: string, authority: string, alternatives: string): void {
  openssl(
    "req",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-subj",
    `/CN=${name}`,
    "-keyout",
    `${name}.key`,
    "-out",
    `${name}.csr`,
  );
  writeFileSync(at(`${name}.ext`), `subjectAltName=${alternatives}\n`);
  const by = ["-CA", `${authority}.crt`, "-CAkey", `${authority}.key`, "-CAcreateserial"];
  openssl(
    "x509",
    "-req",
    "-in",
    `${name}.csr`,
    ...by,
    "-days",
    "2",
    "-extfile",
    `${name}.ext`,
    "-out",
    `${name}.crt`,
  );
}

beforeAll(() => {
  if (!hasParts("openssl")) return;
  for (const authority of ["ca", "stranger"])
    openssl(
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-days",
      "2",
      "-subj",
      `/CN=${authority}`,
      "-keyout",
      `${authority}.key`,
      "-out",
      `${authority}.crt`,
    );
  certify("server", "ca", "IP:127.0.0.1,DNS:localhost");
  certify("second", "ca", "IP:127.0.0.1");
  certify("ops", "ca", "DNS:ops.example.org");
  certify("impostor", "stranger", "DNS:ops.example.org");
});

/** Of `secret`, cost 4. */
const secret = "$2y$04$oDX7sSuxhDrmBRc0vVluruWTZMc3i4tBNdygPMzXl8jA9AWMNavIC";
const users = `basic_auth_users: { ann: ${secret}, bob: ${secret}, eve: ${secret} }
`;
const token = "a-long-token";
const tokenHash = createHash("sha256").update(token).digest("hex");
const roles = `pidward_roles:
  - { user: bob, role: operator }
  - { user: eve, role: admin }
  - { token_sha256: ${tokenHash}, name: ci, role: operator }
  - { certificate: ops.example.org, role: admin }
`;

const tls = (more = "", certificate = "server"): string =>
  `tls_server_config: { cert_file: ${certificate}.crt, key_file: ${certificate}.key${more} }\n`;

async function startWith(config: string, ...args: readonly string[]): Promise<void> {
  writeFileSync(at("web.yml"), config);
  await agent.start({ args: [`--web.config.file=${at("web.yml")}`, ...args] });
}

interface Asked {
  readonly method?: "POST";
  readonly user?: string;
  readonly password?: string;
  readonly bearer?: string;
  /** Of a client certificate. */
  readonly certificate?: string;
  readonly body?: unknown;
  readonly maxVersion?: "TLSv1.2";
}

/** Over HTTPS or HTTP, as the agent listens. */
function ask(
  where: string,
  asked: Asked = {},
): Promise<{ status: number; headers: Headers; text: string; server: string }> {
  const basic = asked.user === undefined ? undefined : `${asked.user}:${asked.password ?? "secret"}`;
  const authorization =
    asked.bearer !== undefined
      ? `Bearer ${asked.bearer}`
      : basic === undefined
        ? undefined
        : `Basic ${Buffer.from(basic).toString("base64")}`;
  const headers: Record<string, string> = {
    ...(authorization === undefined ? {} : { authorization }),
    ...(asked.body === undefined ? {} : { "content-type": "application/json" }),
  };
  const url = agent.address.startsWith("https://") ? agent.address : `http://${agent.address}`;
  if (url.startsWith("http://"))
    return fetch(`${url}${where}`, {
      method: asked.method ?? "GET",
      headers,
      body: asked.body === undefined ? null : JSON.stringify(asked.body),
    }).then(async (response) => ({
      status: response.status,
      headers: response.headers,
      text: await response.text(),
      server: "",
    }));
  return new Promise((resolve, reject) => {
    const request = https.request(
      `${url}${where}`,
      {
        method: asked.method ?? "GET",
        headers,
        agent: false,
        ca: readFileSync(at("ca.crt")),
        ...(asked.maxVersion === undefined ? {} : { maxVersion: asked.maxVersion }),
        ...(asked.certificate === undefined
          ? {}
          : {
              cert: readFileSync(at(`${asked.certificate}.crt`)),
              key: readFileSync(at(`${asked.certificate}.key`)),
            }),
      },
      (response) => {
        const { socket } = response;
        const server =
          "getPeerCertificate" in socket
            ? (socket as import("node:tls").TLSSocket).getPeerCertificate().subject.CN
            : "";
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk) => (text += chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: new Headers(response.headers as Record<string, string>),
            text,
            server: String(server),
          }),
        );
      },
    );
    request.once("error", reject);
    request.end(asked.body === undefined ? undefined : JSON.stringify(asked.body));
  });
}

const signal = { method: "POST", body: { selector: "4194303", dryRun: true } } as const;
const exec = { method: "POST", body: { container: "nobody", argv: ["true"] } } as const;

testWith(["openssl"], "users have their roles, and nobody else comes in", async () => {
  await startWith(users + roles);
  const answers = async (asked: Asked) => [
    (await ask("/metrics", asked)).status,
    (await ask("/api/v1/signal", { ...asked, ...signal })).status,
    (await ask("/api/v1/exec", { ...asked, ...exec })).status,
  ];
  expect(await answers({})).toEqual([401, 401, 401]);
  expect(await answers({ user: "ann" })).toEqual([200, 403, 403]);
  expect(await answers({ user: "bob" })).toEqual([200, 404, 403]);
  expect(await answers({ bearer: token })).toEqual([200, 404, 403]);
  expect(await answers({ user: "eve" })).toEqual([200, 404, 404]);
  expect(await answers({ user: "eve", password: "Secret" })).toEqual([401, 401, 401]);
  expect(await answers({ user: "nobody" })).toEqual([401, 401, 401]);
  expect(await answers({ user: "__proto__" })).toEqual([401, 401, 401]);
  expect(await answers({ bearer: `${token}x` })).toEqual([401, 401, 401]);
  const refused = await ask("/healthz");
  expect(refused.headers.get("www-authenticate")).toMatch(/^Basic realm="pidward"/);
  expect(JSON.parse(refused.text)).toMatchObject({ code: "unauthorized", status: 401 });
  const viewer = await ask("/api/v1/signal", { user: "ann", ...signal });
  expect(JSON.parse(viewer.text).detail).toBe(
    "/api/v1/signal needs the role operator; ann has the role viewer",
  );
});

testWith(["openssl"], "what a user does over TCP is audited under the name", async () => {
  await startWith(users + roles, "--control.allow-host");
  const sleeper = spawn("sleep", ["1000"]);
  try {
    const body = { selector: String(sleeper.pid) };
    const answer = await ask("/api/v1/signal", { bearer: token, method: "POST", body });
    expect(answer.status).toBe(200);
    expect(agent.audit()[0]).toMatchObject({
      actor: { user: "ci", uid: null, from: expect.stringMatching(/^tcp:\/\/127\.0\.0\.1:\d+$/) },
    });
  } finally {
    sleeper.kill("SIGKILL");
  }
});

testWith(["openssl"], "a terminal over TCP needs the role admin", async () => {
  await startWith(`${users + roles}http_server_config: { headers: { X-Frame-Options: deny } }\n`);
  const answerFor = (user?: string): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const headers =
        user === undefined
          ? {}
          : { authorization: `Basic ${Buffer.from(`${user}:secret`).toString("base64")}` };
      const socket = new WebSocket(`ws://${agent.address}/api/v1/attach?container=nobody&argv=sh`, {
        headers,
      });
      socket.once("unexpected-response", (_request, response) => {
        response.resume();
        resolve(response);
      });
      socket.once("open", () => reject(new Error("it was opened")));
      socket.once("error", () => {});
    });
  const refused = await answerFor();
  expect(refused.statusCode).toBe(401);
  expect(refused.headers).toMatchObject({
    "x-frame-options": "deny",
    "www-authenticate": expect.stringContaining("Basic"),
  });
  expect((await answerFor("bob")).statusCode).toBe(403);
  expect((await answerFor("eve")).statusCode).toBe(404);
});

const certificateTable: readonly (readonly [type: string, none: boolean, own: boolean, foreign: boolean])[] =
  [
    ["NoClientCert", true, true, true],
    ["RequestClientCert", true, true, true],
    ["RequireAnyClientCert", false, true, true],
    ["VerifyClientCertIfGiven", true, true, false],
    ["RequireAndVerifyClientCert", false, true, false],
  ];
for (const [type, none, own, foreign] of certificateTable)
  testWith(["openssl"], `client_auth_type ${type} lets in whom it should`, async () => {
    const ca = type === "NoClientCert" ? "" : ", client_ca_file: ca.crt";
    await startWith(tls(`${ca}, client_auth_type: ${type}`));
    const comesIn = (asked: Asked) =>
      ask("/healthz", asked).then(
        ({ status }) => status === 200,
        () => false,
      );
    expect([
      await comesIn({}),
      await comesIn({ certificate: "ops" }),
      await comesIn({ certificate: "impostor" }),
      await comesIn({ certificate: "ops", maxVersion: "TLSv1.2" }),
    ]).toEqual([none, own, foreign, own]);
  });

testWith(["openssl"], "a verified certificate has the role of its name, another's does not", async () => {
  await startWith(tls(", client_ca_file: ca.crt, client_auth_type: RequireAnyClientCert") + users + roles);
  expect((await ask("/api/v1/exec", { certificate: "ops", ...exec })).status).toBe(404);
  expect((await ask("/api/v1/exec", { certificate: "impostor", ...exec })).status).toBe(401);
  expect((await ask("/metrics", { certificate: "server" })).status).toBe(401);
  expect((await ask("/metrics", { certificate: "server", user: "ann" })).status).toBe(200);
});

testWith(["openssl"], "client_allowed_sans keeps others out", async () => {
  const more =
    ", client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [ops.example.org]";
  await startWith(tls(more));
  expect((await ask("/healthz", { certificate: "ops" })).status).toBe(200);
  await expect(ask("/healthz", { certificate: "server" })).rejects.toThrow();
});

testWith(
  ["openssl"],
  "headers are added, TLS 1.2 can be turned off, and too many requests are told to wait",
  async () => {
    await startWith(
      `${tls(", min_version: TLS13")}http_server_config: { headers: { X-Frame-Options: deny, Strict-Transport-Security: max-age=60 } }
rate_limit: { interval: 1h, burst: 3 }
`,
    );
    // It was asked once by the start.
    const first = await ask("/healthz");
    expect(first.headers.get("x-frame-options")).toBe("deny");
    expect(first.headers.get("strict-transport-security")).toBe("max-age=60");
    await expect(ask("/healthz", { maxVersion: "TLSv1.2" })).rejects.toThrow(/version|alert/i);
    const limited = await waitFor("the limit", async () => {
      const answer = await ask("/healthz");
      return answer.status === 429 && answer;
    });
    expect(Number(limited.headers.get("retry-after"))).toBeGreaterThan(0);
  },
);

testWith(
  ["openssl"],
  "users and certificates are read again on SIGHUP and on change; a mistake leaves the old ones in use",
  async () => {
    await startWith(tls() + users);
    expect(await ask("/metrics", { user: "ann" })).toMatchObject({ status: 200, server: "server" });
    writeFileSync(at("web.yml"), `${tls("", "second")}basic_auth_users: { zoe: ${secret} }\n`);
    process.kill(agent.pid, "SIGHUP");
    await waitFor("the new users", async () => (await ask("/metrics", { user: "zoe" })).status === 200);
    expect(await ask("/metrics", { user: "zoe" })).toMatchObject({ server: "second" });
    expect((await ask("/metrics", { user: "ann" })).status).toBe(401);

    writeFileSync(at("web.yml"), "basic_auth_users:\n  zoe: plain\n");
    await waitFor("the failure", async () =>
      (await ask("/metrics", { user: "zoe" })).text.includes(
        "\npidward_web_config_last_reload_successful 0\n",
      ),
    );
    writeFileSync(at("web.yml"), tls() + users);
    await waitFor("the change", async () => (await ask("/metrics", { user: "ann" })).status === 200);
    await waitFor("the figure", async () =>
      (await ask("/metrics", { user: "ann" })).text.includes(
        "\npidward_web_config_last_reload_successful 1\n",
      ),
    );
  },
);

/** Asks on a connection of its own, and gives what is needed to go on with its session. */
function resume(
  session: Buffer | undefined,
): Promise<{ answered: boolean; reused: boolean; session: Buffer | undefined }> {
  return new Promise((resolve) => {
    let text = "";
    let next: Buffer | undefined;
    let reused = false;
    const socket = tlsModule.connect({
      host: "127.0.0.1",
      port: Number(agent.address.split(":").pop()),
      ca: readFileSync(at("ca.crt")),
      cert: readFileSync(at("ops.crt")),
      key: readFileSync(at("ops.key")),
      ...(session === undefined ? {} : { session }),
    });
    socket.on("secureConnect", () => (reused = socket.isSessionReused()));
    socket.on("session", (one) => (next = one));
    socket.on("data", (chunk) => (text += chunk));
    socket.on("error", () => {});
    socket.on("close", () => resolve({ answered: text.startsWith("HTTP/1.1 200"), reused, session: next }));
    socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  });
}

testWith(
  ["openssl"],
  "whose authority is no longer trusted does not come in by a session from before",
  async () => {
    const trusting = (authority: string): string =>
      tls(`, client_ca_file: ${authority}.crt, client_auth_type: RequireAndVerifyClientCert`);
    await startWith(trusting("ca"));
    const first = await resume(undefined);
    expect(await resume(first.session)).toMatchObject({ answered: true, reused: true });
    writeFileSync(at("web.yml"), trusting("stranger"));
    process.kill(agent.pid, "SIGHUP");
    await waitFor("the refusal", async () => !(await resume(undefined)).answered);
    expect(await resume(first.session)).toMatchObject({ answered: false });
  },
);

testWith(
  ["openssl"],
  "certificates that stand in the file, suites and curves are used; a changed certificate file is seen",
  async () => {
    const indent = (file: string): string => readFileSync(at(file), "utf8").replaceAll(/^/gm, "    ");
    await startWith(`tls_server_config:
  cert: |
${indent("server.crt")}
  key: |
${indent("server.key")}
  max_version: TLS12
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]
  curve_preferences: [CurveP384]
`);
    const port = Number(agent.address.split(":").pop());
    const used = await new Promise<readonly unknown[]>((resolve, reject) => {
      const socket = tlsModule.connect({ host: "127.0.0.1", port, ca: readFileSync(at("ca.crt")) }, () => {
        const key = socket.getEphemeralKeyInfo();
        resolve([
          socket.getCipher().name,
          key !== null && "name" in key ? key.name : key,
          socket.getProtocol(),
        ]);
        socket.destroy();
      });
      socket.once("error", reject);
    });
    expect(used).toEqual(["ECDHE-RSA-AES256-GCM-SHA384", "secp384r1", "TLSv1.2"]);
    await agent.stop();

    writeFileSync(at("live.crt"), readFileSync(at("server.crt")));
    writeFileSync(at("live.key"), readFileSync(at("server.key")));
    await startWith(tls("", "live"));
    expect((await ask("/healthz")).server).toBe("server");
    writeFileSync(at("live.key"), readFileSync(at("second.key")));
    writeFileSync(at("live.crt"), readFileSync(at("second.crt")));
    await waitFor("the other certificate", async () => (await ask("/healthz")).server === "second");
  },
);

testWith(["openssl"], "doctor says what is wrong with the web configuration", async () => {
  writeFileSync(at("web.yml"), "basic_auth_users:\n  ann: x\n");
  const { code, stdout } = await agent.cliWith({ PIDWARD_WEB_CONFIG_FILE: at("web.yml") }, "doctor");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^missing +network +\S*web\.yml:2: basic_auth_users\.ann is no bcrypt hash/m);
});

testWith(
  ["openssl"],
  "a file with a mistake, or with files that are not there, is refused at start",
  async () => {
    for (const [config, says] of [
      ["basic_auth_users:\n  ann: x\n", /web\.yml:2: basic_auth_users\.ann is no bcrypt hash/],
      ["tls_server_config: { cert_file: nowhere.crt, key_file: server.key }\n", /ENOENT.*nowhere\.crt/],
      [
        "tls_server_config: { cert_file: server.crt, key_file: ops.key }\n",
        /tls_server_config cannot be used/,
      ],
    ] as const) {
      writeFileSync(at("web.yml"), config);
      const { code, stderr } = await agent.cli(
        "agent",
        `--web.config.file=${at("web.yml")}`,
        `--control.socket=${at("s")}`,
        `--audit.file=${at("a")}`,
        "--web.listen-address=127.0.0.1:0",
      );
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(says) });
    }
  },
);

testWith(["openssl"], "listening for others without users is warned of", async () => {
  await agent.start({ args: ["--web.listen-address=0.0.0.0:0"] });
  expect(agent.stderr).toContain("HTTP listens on 0.0.0.0 without users");
  const answer = await ask("/api/v1/signal", signal);
  expect(answer.status).toBe(403);
});

testWith(["openssl"], "the command line trusts whom it is told to, and shows who it is", async () => {
  await startWith(tls(", client_ca_file: ca.crt, client_auth_type: VerifyClientCertIfGiven") + users + roles);
  const host = `--host=${agent.address}`;
  const ca = `--ca=${at("ca.crt")}`;
  writeFileSync(at("token"), `${token}\n`, { mode: 0o600 });
  const tokenFile = `--token-file=${at("token")}`;
  expect(await agent.cli("ps", host)).toMatchObject({
    code: 7,
    stderr: expect.stringMatching(/certificate of https:\S+ is not trusted .* by --ca/),
  });
  expect(await agent.cli("ps", host, ca)).toMatchObject({
    code: 4,
    stderr: expect.stringContaining("a user or a token is needed"),
  });
  expect(await agent.cli("ps", host, ca, tokenFile)).toMatchObject({ code: 0, stderr: "" });
  expect(
    await agent.cli("health", host, ca, `--cert=${at("ops.crt")}`, `--key=${at("ops.key")}`),
  ).toMatchObject({ code: 0 });
  expect(await agent.cli("exec", host, ca, tokenFile, "nobody", "--", "true")).toMatchObject({
    code: 4,
    stderr: expect.stringContaining("needs the role admin; ci has the role operator"),
  });
  expect(await agent.cli("events", "--no-follow", host, ca, tokenFile)).toMatchObject({ code: 0 });
  chmodSync(at("token"), 0o644);
  expect(await agent.cli("ps", host, ca, tokenFile)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("can be read by others (mode 644)"),
  });
  chmodSync(at("token"), 0o600);
  expect(await agent.cli("ps", "--host=http://agent.example.org:1", tokenFile)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("in the clear"),
  });
  expect(await agent.cli("ps", host, `--cert=${at("ops.crt")}`)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--cert: a certificate and its key go together"),
  });
});
