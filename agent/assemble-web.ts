import type { TLSSocket } from "node:tls";
import type { Config } from "./config.ts";
import type { Access } from "./http/access/access.ts";
import { refuseCertificate } from "./http/access/tls-options.ts";
import { createWebAccess } from "./http/access/web-access.ts";
import { type LoadedWebConfig, openWebConfig } from "./http/access/web-config-file.ts";
import { createReadAccess } from "./http/actor.ts";
import { createApp } from "./http/app.ts";
import { createAttachDoor } from "./http/attach.ts";
import type { AppParts } from "./http/parts.ts";
import { type Listener, listenTcp } from "./http/servers.ts";
import type { Logger } from "./log.ts";

/** The TCP listener, with what it knows its callers by. */
export interface WebListener extends Pick<Listener, "address"> {
  /** What of it is worth a warning, in words. */
  readonly warnings: readonly string[];
  close(graceMs: number): Promise<void>;
}

/** Is told whether the configuration that was read last can be used. */
export type OnWebConfig = (isGood: boolean) => void;

/**
 * Listens on TCP: for all who reach it to read, or as the web configuration has it, which is read anew when it changes
 * and on SIGHUP.
 * @throws AgentError `bad_request` with the configuration's file and line, `unavailable` for the address
 */
export async function listenWeb(
  config: Config,
  parts: AppParts,
  log: Logger,
  monotonicMs: () => number,
  onConfig: OnWebConfig,
): Promise<WebListener> {
  const { host, port } = config.webListenAddress;
  if (config.webConfigFile === undefined) {
    const listener = await listenTcp(createApp(parts, createReadAccess()), host, port);
    return { ...listener, warnings: describeExposure(host, false) };
  }
  const file = config.webConfigFile;
  let changeContext: (loaded: LoadedWebConfig) => void = () => {};
  const opened = openWebConfig({
    file,
    onLoaded: (loaded) => {
      changeContext(loaded);
      onConfig(true);
      log.info("the web configuration was read again", { file });
    },
    onFailure: (error) => {
      onConfig(false);
      log.error("the web configuration cannot be used; the one before stays", { reason: error.message });
    },
  });
  onConfig(true);
  const access = createWebAccess(() => opened.current().config, monotonicMs);
  const door = createAttachDoor(parts, access);
  const hangUp = (): void => opened.reload();
  try {
    const { tls, config: web } = opened.current();
    const listening = tls && {
      context: tls,
      requestCert: web.tls_server_config?.client_auth_type !== "NoClientCert",
      refuse: (socket: TLSSocket) => {
        const policy = opened.current().config.tls_server_config;
        return policy && refuseCertificate(socket, policy);
      },
      log,
    };
    const listener = await listenTcp(createApp(parts, access), host, port, door.upgrade, listening);
    changeContext = (loaded) => {
      if (loaded.tls !== undefined) listener.setContext(loaded.tls);
    };
    process.on("SIGHUP", hangUp);
    return {
      address: `${tls === undefined ? "" : "https://"}${listener.address}`,
      warnings: describeAccess(host, access, tls !== undefined),
      close: async (graceMs) => {
        process.off("SIGHUP", hangUp);
        opened.close();
        await door.close();
        await listener.close(graceMs);
      },
    };
  } catch (error) {
    opened.close();
    throw error;
  }
}

function describeAccess(host: string, access: Access, isTls: boolean): readonly string[] {
  if (!access.hasUsers()) return describeExposure(host, isTls);
  if (isTls || isLoopback(host)) return [];
  return [
    "passwords and tokens cross the network in the clear: the web configuration has no tls_server_config",
  ];
}

function describeExposure(host: string, isTls: boolean): readonly string[] {
  if (isLoopback(host)) return [];
  const who = isTls ? "everybody whom TLS lets in" : "everybody who reaches it";
  return [
    `HTTP listens on ${host === "" ? "all addresses" : host} without users: ${who} may read every process and command line`,
  ];
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** For `doctor`, which makes no listener. @throws AgentError `bad_request` */
export function examineExposure(config: Config): readonly string[] {
  const { host } = config.webListenAddress;
  if (config.webConfigFile === undefined) return describeExposure(host, false);
  const opened = openWebConfig({ file: config.webConfigFile, onLoaded: () => {}, onFailure: () => {} });
  opened.close();
  const { config: web, tls } = opened.current();
  return describeAccess(
    host,
    createWebAccess(
      () => web,
      () => 0,
    ),
    tls !== undefined,
  );
}
