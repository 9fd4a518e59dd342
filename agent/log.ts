export const logLevels = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof logLevels)[number];
export const logFormats = ["logfmt", "json"] as const;
export type LogFormat = (typeof logFormats)[number];

/** Facts beside the message; values are written as they are, an Error with its stack at `debug` and its message else. */
export type LogFields = Readonly<Record<string, unknown>>;
export type Logger = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>;

export interface LogSettings {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes one whole line, newline included. */
  readonly write: (line: string) => void;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** One record a line, as logfmt or JSON. Line breaks and control characters in values are escaped, so that what a
 * container is called cannot forge a record. */
export function createLogger(settings: LogSettings): Logger {
  const threshold = logLevels.indexOf(settings.level);
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (logLevels.indexOf(level) > threshold) return;
      const record = {
        time: new Date(settings.clock()).toISOString(),
        level,
        msg: message,
        ...plain(fields),
      };
      const line = settings.format === "json" ? JSON.stringify(record) : logfmt(record);
      settings.write(`${line.replaceAll(control, escapeUnit)}\n`);
    };
  return { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") };
}

/** Those below space are escaped by JSON already; a terminal may obey the others too. */
const control = /[\u007f-\u009f\u2028\u2029]/g;

function escapeUnit(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** A logger that writes nothing, for parts that are used without one. */
export const silentLogger: Logger = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };

function plain(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      value instanceof Error ? (value.stack ?? value.message) : value,
    ]),
  );
}

function logfmt(record: Record<string, unknown>): string {
  return Object.entries(record)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${logfmtValue(value)}`)
    .join(" ");
}

function logfmtValue(value: unknown): string {
  const text =
    typeof value === "string" ? value : typeof value === "object" ? JSON.stringify(value) : String(value);
  return /^[\w.:/@+,-]+$/.test(text) ? text : JSON.stringify(text);
}
