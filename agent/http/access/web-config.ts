// tls_server_config:
//   cert_file: server.crt
//   key_file: server.key
// basic_auth_users:
//   ann: $2y$10$…
// pidward_roles:
//   - { user: ann, role: operator }

import { reasonOf } from "../../errors.ts";
import { parseSpan } from "../../spans.ts";
import { readYaml } from "../../yaml-file.ts";
import { z } from "../zod.ts";
import { roles } from "./roles.ts";
import { cipherSuites, clientAuthTypes, curves, tlsVersions } from "./tls-names.ts";

const oneOf = <T extends string>(names: readonly T[]) =>
  z.enum(names as [T, ...T[]], { error: `is none of ${names.join(", ")}` });
const text = z.string({ error: "is not a text" });
const texts = z.array(text, { error: "is not a list" });

const tlsServerConfig = z
  .strictObject({
    cert: text.optional(),
    key: text.optional(),
    client_ca: text.optional(),
    cert_file: text.optional(),
    key_file: text.optional(),
    client_ca_file: text.optional(),
    client_auth_type: oneOf(clientAuthTypes).default("NoClientCert"),
    client_allowed_sans: texts.default([]),
    min_version: oneOf(tlsVersions).default("TLS12"),
    max_version: oneOf(tlsVersions).default("TLS13"),
    cipher_suites: z.array(oneOf(cipherSuites)).default([]),
    prefer_server_cipher_suites: z.boolean().default(true),
    curve_preferences: z.array(oneOf(curves)).default([]),
  })
  .superRefine((tls, context) => {
    const wrong = (message: string): void => context.addIssue({ code: "custom", message });
    for (const name of ["cert", "key", "client_ca"] as const)
      if (tls[name] !== undefined && tls[`${name}_file`] !== undefined)
        wrong(`has both ${name} and ${name}_file; one of them is enough`);
    for (const name of ["cert", "key"] as const)
      if ((tls[name] ?? "") === "" && (tls[`${name}_file`] ?? "") === "")
        wrong(`needs ${name}_file (or ${name})`);
    const verifies = ["VerifyClientCertIfGiven", "RequireAndVerifyClientCert"].includes(tls.client_auth_type);
    const hasCa = (tls.client_ca ?? tls.client_ca_file) !== undefined;
    if (verifies && !hasCa) wrong(`has client_auth_type ${tls.client_auth_type}, which needs client_ca_file`);
    if (hasCa && tls.client_auth_type === "NoClientCert")
      wrong("has a client_ca, but client_auth_type is NoClientCert");
    if (tls.client_allowed_sans.length > 0 && !tls.client_auth_type.startsWith("Require"))
      wrong("has client_allowed_sans, which need a client_auth_type that requires a certificate");
    if (tlsVersions.indexOf(tls.min_version) > tlsVersions.indexOf(tls.max_version))
      wrong("has a min_version above its max_version");
  });

const headers = z.strictObject({
  "Content-Security-Policy": text.optional(),
  "X-Frame-Options": oneOf(["deny", "sameorigin", ""]).optional(),
  "X-Content-Type-Options": oneOf(["nosniff", ""]).optional(),
  "X-XSS-Protection": text.optional(),
  "Strict-Transport-Security": text.optional(),
});

const bcryptHash = z
  .string()
  .regex(
    /^\$2[aby]\$(0[4-9]|1\d|2\d|3[01])\$[./A-Za-z0-9]{53}$/,
    "is no bcrypt hash ($2y$…); `htpasswd -nBC 10` makes one",
  );

const roleEntry = z
  .strictObject({
    user: text.min(1).optional(),
    /** Common name, or a subject alternative name without its kind. */
    certificate: text.min(1).optional(),
    token_sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, "is no SHA-256 in hexadecimal; `printf %s TOKEN | sha256sum` makes it")
      .optional(),
    /** Of who bears a token, for the audit. */
    name: text.min(1).optional(),
    role: oneOf(roles),
  })
  .superRefine((entry, context) => {
    const given = [entry.user, entry.certificate, entry.token_sha256].filter((one) => one !== undefined);
    if (given.length !== 1)
      context.addIssue({ code: "custom", message: "needs one of user, certificate and token_sha256" });
    if ((entry.token_sha256 === undefined) !== (entry.name === undefined))
      context.addIssue({
        code: "custom",
        message: "needs a name where it has a token_sha256, and only there",
      });
  });

const span = z.string({ error: "is no span (1s)" }).transform((value, context) => {
  try {
    return parseSpan(value === "0" ? "0s" : value);
  } catch (error) {
    context.addIssue({ code: "custom", message: `is wrong: ${reasonOf(error)}` });
    return z.NEVER;
  }
});

const webConfig = z
  .strictObject({
    tls_server_config: tlsServerConfig.optional(),
    http_server_config: z
      .strictObject({ http2: z.boolean().default(true), headers: headers.default({}) })
      .optional(),
    basic_auth_users: z.record(text, bcryptHash).default({}),
    rate_limit: z.strictObject({ interval: span, burst: z.int().min(1).max(1_000_000) }).optional(),
    pidward_roles: z.array(roleEntry).default([]),
  })
  .superRefine((config, context) => {
    for (const [index, { user }] of config.pidward_roles.entries()) {
      if (user !== undefined && !Object.hasOwn(config.basic_auth_users, user))
        context.addIssue({
          code: "custom",
          path: ["pidward_roles", index, "user"],
          message: `"${user}" is not among basic_auth_users`,
        });
    }
  });

export type WebConfig = z.output<typeof webConfig>;
export type TlsServerConfig = NonNullable<WebConfig["tls_server_config"]>;

/**
 * Reads a web configuration, as Prometheus's exporter-toolkit has it (docs/web-configuration.md there), with
 * `pidward_roles` besides.
 * @param file its name, for messages
 * @throws AgentError `bad_request` with `FILE:LINE:` and what is wrong
 */
export function parseWebConfig(yaml: string, file: string): WebConfig {
  return readYaml(yaml, file, webConfig);
}
