import type { ContainerName, EventRecord, ExitedEvent } from "../../api.ts";
import type { Command, CommandInput } from "../command.ts";
import { pad, safe } from "../text.ts";

export const events: Command = {
  name: "events",
  args: "[SELECTOR]",
  least: 0,
  most: 1,
  summary: "what starts, ends and is restarted, as it happens",
  flags: [
    { name: "type", value: "TYPE", meaning: "only started, exited, restarted or container" },
    { name: "last", value: "COUNT", meaning: "first the last so many; 10 when left out" },
    { name: "no-follow", value: "", meaning: "end when these have been told" },
    { name: "json", value: "", meaning: "print each event as the API gives it, one a line" },
  ],
  run: async (input) => {
    const { flags, api } = input;
    const [container, program] = readSelector(input.args[0]);
    const query = {
      container,
      program,
      type: flags.get("type"),
      last: flags.get("last") ?? "10",
      follow: flags.has("no-follow") ? "false" : undefined,
    };
    await api.stream("/api/v1/events", query, (data) => {
      const event = JSON.parse(data) as EventRecord;
      if (!("type" in event)) return;
      input.out(flags.has("json") ? `${data}\n` : `${line(event, input)}\n`);
    });
    return 0;
  },
  across: () => "lines",
};

/** `web` or `web/nginx`. */
function readSelector(text: string | undefined): readonly [string | undefined, string | undefined] {
  if (text === undefined) return [undefined, undefined];
  const slash = text.indexOf("/");
  return slash === -1 ? [text, undefined] : [text.slice(0, slash) || undefined, text.slice(slash + 1)];
}

/** A stream has no table: columns are as wide as most need. */
function line(event: EventRecord, { table: { style } }: CommandInput): string {
  const cells = [event.time, pad(event.type, 9, "right"), pad(safe(subject(event)), 24, "right")];
  const text = safe(describe(event));
  return [...cells, isFailure(event) ? style("red", text) : text].join("  ");
}

function subject(event: EventRecord): string {
  const container = event.container?.name ?? "-";
  return event.type === "container" ? container : `${container}/${event.program ?? "-"}`;
}

function describe(event: EventRecord): string {
  switch (event.type) {
    case "started":
      return `${event.ref}  ${event.command === null || event.command.length === 0 ? event.name : event.command.join(" ")}`;
    case "exited":
      return `${event.ref ?? event.pid}  ${event.name}: ${howItEnded(event)}${usage(event)}`;
    case "restarted":
      return `${event.old.join(" ")} -> ${event.new.join(" ")} by ${event.driver} in ${event.seconds.toFixed(1)}s`;
    case "container":
      return `${event.previousState ?? "new"} -> ${event.state}${exitNote(event)}`;
  }
}

function howItEnded(event: ExitedEvent): string {
  if (event.reason === "unknown") return "gone";
  if (event.signal === null) return `exit code ${event.exitCode ?? "?"}`;
  return event.oomKilled === true ? `${event.signal}, out of memory` : event.signal;
}

function usage({ lifetimeSeconds, cpuSeconds }: ExitedEvent): string {
  const life = lifetimeSeconds === null ? "" : ` after ${lifetimeSeconds.toFixed(2)}s`;
  const cpu = cpuSeconds === null ? "" : `, ${(cpuSeconds.user + cpuSeconds.system).toFixed(3)}s of CPU`;
  return `${life}${cpu}`;
}

function exitNote(event: {
  readonly state: string;
  readonly exitCode: number | null;
  readonly oomKilled: boolean;
  readonly container: ContainerName | null;
}): string {
  if (event.state !== "exited" && event.state !== "dead") return "";
  const code = event.exitCode === null ? "" : `, exit code ${event.exitCode}`;
  return event.oomKilled ? `${code}, out of memory` : code;
}

function isFailure(event: EventRecord): boolean {
  return event.type === "exited" && event.reason !== "exit_0" && event.reason !== "unknown";
}
