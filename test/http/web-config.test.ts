import { expect, jest, test } from "@jest/globals";
import bcrypt from "bcrypt";
import fc from "fast-check";
import { AgentError } from "../../agent/errors.ts";
import { createPasswordCheck } from "../../agent/http/access/passwords.ts";
import { createRateLimit } from "../../agent/http/access/rate-limit.ts";
import { parseWebConfig } from "../../agent/http/access/web-config.ts";

/** Of `secret`, cost 4. */
const hash = "$2y$04$oDX7sSuxhDrmBRc0vVluruWTZMc3i4tBNdygPMzXl8jA9AWMNavIC";
const sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

test("the example of exporter-toolkit is read, with its defaults", () => {
  const text = `tls_server_config:
  cert_file: server.crt
  key_file: server.key
basic_auth_users:
  alice: ${hash}
rate_limit:
  interval: "1s"
  burst: 20
http_server_config:
  headers:
    X-Frame-Options: deny
pidward_roles:
  - user: alice
    role: operator
  - token_sha256: ${sha256}
    name: ci
    role: admin
`;
  expect(parseWebConfig(text, "web.yml")).toMatchObject({
    tls_server_config: { client_auth_type: "NoClientCert", min_version: "TLS12", max_version: "TLS13" },
    rate_limit: { interval: 1000, burst: 20 },
    http_server_config: { http2: true, headers: { "X-Frame-Options": "deny" } },
    pidward_roles: [{ user: "alice", role: "operator" }, { name: "ci" }],
  });
  expect(parseWebConfig("", "web.yml")).toMatchObject({ basic_auth_users: {}, pidward_roles: [] });
});

const mistakes: readonly (readonly [line: number, says: string, text: string])[] = [
  [1, "tls_servr_config is no key", "tls_servr_config: {}\n"],
  [2, "needs key_file", "\ntls_server_config:\n  cert_file: a\n"],
  [3, "is no key", "tls_server_config:\n  cert_file: a\n  cert_fil: a\n  key_file: b\n"],
  [4, "is none of TLS10", "tls_server_config:\n  cert_file: a\n  key_file: b\n  min_version: SSL3\n"],
  [
    1,
    "min_version above",
    "tls_server_config: { cert_file: a, key_file: b, min_version: TLS13, max_version: TLS12 }\n",
  ],
  [
    1,
    "which needs client_ca_file",
    "tls_server_config: { cert_file: a, key_file: b, client_auth_type: RequireAndVerifyClientCert }\n",
  ],
  [
    1,
    "client_auth_type is NoClientCert",
    "tls_server_config: { cert_file: a, key_file: b, client_ca_file: c }\n",
  ],
  [
    1,
    "has client_allowed_sans",
    "tls_server_config: { cert_file: a, key_file: b, client_allowed_sans: [x] }\n",
  ],
  [1, "both cert and cert_file", "tls_server_config: { cert: x, cert_file: a, key_file: b }\n"],
  [
    3,
    "is none of TLS_ECDHE",
    "tls_server_config:\n  { cert_file: a, key_file: b,\n    cipher_suites: [RC4] }\n",
  ],
  [2, "is no bcrypt hash", "basic_auth_users:\n  ann: secret\n"],
  [3, "X-Powered-By is no key", "http_server_config:\n  headers:\n    X-Powered-By: x\n"],
  [2, '"bob" is not among basic_auth_users', "pidward_roles:\n  - { user: bob, role: admin }\n"],
  [3, "is none of viewer", "pidward_roles:\n  - certificate: x\n    role: root\n"],
  [2, "needs one of user, certificate", "pidward_roles:\n  - { role: admin }\n"],
  [2, "needs a name", `pidward_roles:\n  - { token_sha256: ${sha256}, role: admin }\n`],
  [2, "is no SHA-256", "pidward_roles:\n  - { token_sha256: abc, name: ci, role: admin }\n"],
  [1, "is not a span", "rate_limit: { interval: soon, burst: 1 }\n"],
  [2, "", "basic_auth_users:\n\t- x\n"],
  [1, "", "[1, 2]\n"],
  [1, "", "&a [*a, *a]\n"],
];
test.each(mistakes)("a mistake in line %d is named: %s", (line, says, text) => {
  expect(() => parseWebConfig(text, "web.yml")).toThrow(
    expect.objectContaining({
      code: "bad_request",
      message: expect.stringContaining(says),
    }),
  );
  expect(() => parseWebConfig(text, "web.yml")).toThrow(`web.yml:${line}: `);
});

test("any text is a configuration or an error that says so", () => {
  const words = fc.constantFrom(
    "tls_server_config",
    ":",
    " ",
    "\n",
    "- ",
    "{",
    "}",
    "[",
    "*a",
    "&a",
    "basic_auth_users",
    "__proto__",
    "<<",
    "!!js",
    "\t",
    "'",
    "|",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(words).map((some) => some.join("")),
      ),
      (text) => {
        try {
          parseWebConfig(text, "web.yml");
        } catch (error) {
          if (!(error instanceof AgentError)) throw error;
          expect(error.message).toMatch(/^web\.yml:\d+: /);
        }
      },
    ),
    { numRuns: 1000 },
  );
});

test("a password is compared with a hash of any letter, and an unknown user has none", async () => {
  const check = createPasswordCheck();
  for (const letter of ["a", "b", "y"]) {
    const one = hash.replace("$2y$", `$2${letter}$`);
    expect(await check("ann", "secret", { ann: one })).toBe(true);
    expect(await check("ann", "secret", { ann: one })).toBe(true);
    expect(await check("ann", "Secret", { ann: one })).toBe(false);
  }
  expect(await check("bob", "secret", { ann: hash })).toBe(false);
  expect(await check("bob", "secret", {})).toBe(false);
  expect(await check("constructor", "secret", { ann: hash })).toBe(false);
});

test("an unknown user's password costs what a user's costs, always the same for the same name", async () => {
  const compare = jest.spyOn(bcrypt, "compare");
  const costs = async (names: readonly string[]): Promise<readonly number[]> => {
    const check = createPasswordCheck();
    compare.mockClear();
    for (const name of names) await check(name, "x", { ann: hash, bob: hash.replace("$2y$04$", "$2y$06$") });
    return compare.mock.calls.map(([, used]) => bcrypt.getRounds(String(used)));
  };
  const strangers = Array.from({ length: 40 }, (_, index) => `stranger ${index}`);
  expect(new Set(await costs(strangers))).toEqual(new Set([4, 6]));
  const check = createPasswordCheck();
  compare.mockClear();
  for (const password of ["1", "2", "3", "4", "5", "6"])
    await check("stranger", password, { ann: hash, bob: hash.replace("$2y$04$", "$2y$06$") });
  expect(new Set(compare.mock.calls.map(([, used]) => bcrypt.getRounds(String(used)))).size).toBe(1);
  compare.mockRestore();
});

test("more passwords at once than can be compared are refused, and none is forgotten", async () => {
  const check = createPasswordCheck();
  const results = await Promise.allSettled(
    Array.from({ length: 60 }, (_, index) => check("ann", `wrong ${index}`, { ann: hash })),
  );
  const refused = results.filter(({ status }) => status === "rejected");
  expect(refused).toHaveLength(60 - 34);
  for (const one of refused) expect(one).toMatchObject({ reason: { code: "unavailable" } });
  expect(await check("ann", "secret", { ann: hash })).toBe(true);
});

test("a bucket lets a burst through, and then one with each interval", () => {
  let now = 0;
  const limit = createRateLimit(1000, 3, () => now);
  expect([limit(), limit(), limit(), limit()]).toEqual([undefined, undefined, undefined, 1]);
  now = 1000;
  expect([limit(), limit()]).toEqual([undefined, 1]);
  now = 60_000;
  expect([limit(), limit(), limit(), limit()]).toEqual([undefined, undefined, undefined, 1]);
  const unlimited = createRateLimit(0, 1, () => 0);
  expect([unlimited(), unlimited()]).toEqual([undefined, undefined]);
});
