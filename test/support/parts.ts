export type Part =
  | "docker"
  | "promtool"
  | "busybox"
  | "python"
  | "supervisor"
  | "s6"
  | "runit"
  | "tini"
  | "systemd"
  | "nodeExporter"
  | "process-exporter"
  | "docker-compose"
  | "openssl"
  | "kubectl";

const parts: Readonly<Record<string, string | null>> = JSON.parse(process.env.PIDWARD_TEST_PARTS ?? "{}");

/** Why a part cannot be used; undefined when it can. */
export function missing(needs: readonly Part[]): string | undefined {
  for (const need of needs) {
    const reason = parts[need];
    if (reason === undefined) return `${need}: run the tests by "npm test", which installs and starts it`;
    if (reason !== null) return reason;
  }
  return undefined;
}

/** Whether the parts are there, for set-up that makes no sense without them. */
export function hasParts(...needs: readonly Part[]): boolean {
  return missing(needs) === undefined;
}
