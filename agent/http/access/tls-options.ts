import { readFileSync } from "node:fs";
import path from "node:path";
import tls, { type SecureContextOptions, type TLSSocket } from "node:tls";
import { AgentError, reasonOf } from "../../errors.ts";
import { opensslCipher, opensslCurve, opensslVersion } from "./tls-names.ts";
import type { TlsServerConfig } from "./web-config.ts";

/**
 * What Node needs for the TLS of a web configuration; files are relative to the configuration's folder.
 * @throws AgentError `bad_request` that names the file that cannot be read or used
 */
export function readTlsOptions(config: TlsServerConfig, configFile: string): SecureContextOptions {
  const read = (inline: string | undefined, file: string | undefined): string | Buffer | undefined => {
    if (inline !== undefined && inline !== "") return inline;
    if (file === undefined || file === "") return undefined;
    try {
      return readFileSync(path.resolve(path.dirname(configFile), file));
    } catch (error) {
      throw new AgentError("bad_request", `${configFile}: ${reasonOf(error)}`, { cause: error });
    }
  };
  const suites = config.cipher_suites.map((name) => opensslCipher[name]);
  const ca = read(config.client_ca, config.client_ca_file);
  const options: SecureContextOptions = {
    cert: read(config.cert, config.cert_file),
    key: read(config.key, config.key_file),
    // Without one of its own nobody is trusted: else Node would trust the authorities of the web.
    ca: ca ?? [],
    minVersion: opensslVersion[config.min_version],
    maxVersion: opensslVersion[config.max_version],
    honorCipherOrder: config.prefer_server_cipher_suites,
    ...(suites.length === 0 ? {} : { ciphers: withTls13(suites).join(":") }),
    ...(config.curve_preferences.length === 0
      ? {}
      : { ecdhCurve: config.curve_preferences.map((name) => opensslCurve[name]).join(":") }),
  };
  try {
    tls.createSecureContext(options);
  } catch (error) {
    throw new AgentError(
      "bad_request",
      `${configFile}: tls_server_config cannot be used: ${reasonOf(error)}`,
      {
        cause: error,
      },
    );
  }
  return options;
}

/** As in Go the list is for TLS 1.2: the suites of 1.3 are always there. */
function withTls13(suites: readonly string[]): readonly string[] {
  const always = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
  return [...new Set([...suites, ...always])];
}

/**
 * What is wrong with a client's certificate by the policy; undefined: it may come in. What can be verified has been by
 * OpenSSL: `authorized` says how that ended.
 */
export function refuseCertificate(socket: TLSSocket, config: TlsServerConfig): string | undefined {
  const names = certificateNames(socket);
  const type = config.client_auth_type;
  if (type === "NoClientCert" || type === "RequestClientCert") return undefined;
  if (names === undefined) return type.startsWith("Require") ? "a client certificate is required" : undefined;
  if (type !== "RequireAnyClientCert" && !socket.authorized)
    return `the client certificate is not valid: ${String(socket.authorizationError)}`;
  if (config.client_allowed_sans.length === 0) return undefined;
  const isAllowed = names.alternatives.some((name) => config.client_allowed_sans.includes(name));
  return isAllowed ? undefined : "no name of the client certificate is among client_allowed_sans";
}

/** Names in the certificate that a client has shown, valid or not; undefined: it has shown none. */
export function certificateNames(
  socket: TLSSocket,
): { readonly common: string | undefined; readonly alternatives: readonly string[] } | undefined {
  const { subject, subjectaltname } = socket.getPeerCertificate();
  if (subject === undefined) return undefined;
  const common: unknown = subject.CN;
  // Node quotes a name that has a comma in it: such a one is none that anybody is known by.
  const alternatives = (subjectaltname ?? "")
    .split(", ")
    .flatMap((one) => /^(?:DNS|IP Address|email|URI):([^"]+)$/.exec(one)?.[1] ?? []);
  return { common: typeof common === "string" ? common : undefined, alternatives };
}
