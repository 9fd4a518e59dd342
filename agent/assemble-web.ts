import type { TLSSocket } from "node:tls";
import type { Config } from "./config.ts";
import { refuseCertificate } from "./http/access/tls-options.ts";
import { createWebAccess, hasUsers } from "./http/access/web-access.ts";
import { type LoadedWebConfig, loadWebConfig, watchWebConfig } from "./http/access/web-config-file.ts";
import { createReadAccess } from "./http/actor.ts";
import { createApp } from "./http/app.ts";
import { createAttachDoor } from "./http/attach.ts";
import type { AppParts } from "./http/parts.ts";
import { type Listener, listenTcp, type TcpListener } from "./http/servers.ts";
import type { Logger } from "./log.ts";
import { isLoopback } from "./loopback.ts";

export interface WebParts {
  readonly app: AppParts;
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
  /** Is told whether the configuration that was read last can be used. */
  readonly onConfig: (isGood: boolean) => void;
}

/**
 * The web configuration as it is now; undefined: there is none.
 * @throws AgentError `bad_request` with its file and line
 */
export function readWebConfig({ webConfigFile }: Config): LoadedWebConfig | undefined {
  return webConfigFile === undefined ? undefined : loadWebConfig(webConfigFile);
}

/**
 * Listens on TCP: for all who reach it to read, or as the web configuration has it, which is read anew when it changes
 * and on SIGHUP.
 * @throws AgentError `unavailable` for the address
 */
export function listenWeb(
  config: Config,
  loaded: LoadedWebConfig | undefined,
  parts: WebParts,
): Promise<Listener> {
  const { host, port } = config.webListenAddress;
  return config.webConfigFile === undefined || loaded === undefined
    ? listenTcp(createApp(parts.app, createReadAccess()), host, port)
    : listenByConfig(config, config.webConfigFile, loaded, parts);
}

async function listenByConfig(
  { webListenAddress: { host, port } }: Config,
  file: string,
  loaded: LoadedWebConfig,
  { app, log, monotonicMs, onConfig }: WebParts,
): Promise<Listener> {
  let listener: TcpListener | undefined;
  const watch = watchWebConfig(file, loaded, {
    onLoaded: ({ tls }) => {
      if (tls !== undefined) listener?.setContext(tls);
      onConfig(true);
      log.info("the web configuration was read again", { file });
    },
    onFailure: (error) => {
      onConfig(false);
      log.error("the web configuration cannot be used; the one before stays", { reason: error.message });
    },
  });
  onConfig(true);
  const access = createWebAccess(() => watch.current().config, monotonicMs);
  const door = createAttachDoor(app, access);
  const { tls, config: web } = loaded;
  const listening = tls && {
    context: tls,
    requestCert: web.tls_server_config?.client_auth_type !== "NoClientCert",
    refuse: (socket: TLSSocket) => {
      const policy = watch.current().config.tls_server_config;
      return policy && refuseCertificate(socket, policy);
    },
    log,
  };
  try {
    listener = await listenTcp(createApp(app, access), host, port, door.upgrade, listening);
  } catch (error) {
    watch.close();
    throw error;
  }
  const { address, close } = listener;
  process.on("SIGHUP", watch.reload);
  return {
    address: `${tls === undefined ? "" : "https://"}${address}`,
    close: async (graceMs) => {
      process.off("SIGHUP", watch.reload);
      watch.close();
      await door.close();
      await close(graceMs);
    },
  };
}

/** What is open over TCP that should not be, in words. */
export function describeExposure(
  { webListenAddress: { host } }: Config,
  loaded: LoadedWebConfig | undefined,
): readonly string[] {
  if (isLoopback(host)) return [];
  const isTls = loaded?.tls !== undefined;
  if (loaded === undefined || !hasUsers(loaded.config)) {
    const who = isTls ? "everybody whom TLS lets in" : "everybody who reaches it";
    return [
      `HTTP listens on ${host === "" ? "all addresses" : host} without users: ${who} may read every process and command line`,
    ];
  }
  return isTls
    ? []
    : ["passwords and tokens cross the network in the clear: the web configuration has no tls_server_config"];
}
