import stringWidth from "string-width";

/** Control characters, line separators, and the marks that turn the direction of writing. */
const unsafe = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;

/**
 * Makes a text from a container safe to show: an escape sequence in a name must not reach the terminal, and a line
 * break must not forge a row.
 */
export function safe(text: string): string {
  return text.replaceAll(unsafe, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\t") return "\\t";
    const code = character.codePointAt(0) ?? 0;
    return code < 256
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** Cuts to a width in terminal cells, with an ellipsis where something is left out. */
export function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const character of text) {
    used += stringWidth(character);
    if (used > width - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

/** Fills with blanks to a width in terminal cells. */
export function pad(text: string, width: number, side: "left" | "right"): string {
  const blanks = " ".repeat(Math.max(0, width - stringWidth(text)));
  return side === "left" ? blanks + text : text + blanks;
}

const byteUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** `8.0MiB`; `-` for what could not be read. */
export function bytes(count: number | null): string {
  if (count === null) return "-";
  let value = count;
  let unit = 0;
  // From 1023.95 on, one decimal would read 1024.0.
  while (value >= 1023.95 && unit < byteUnits.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${value}B` : `${value.toFixed(1)}${byteUnits[unit]}`;
}

/** Share of one CPU: `3.1`; `-` for a process that was seen once. */
export function percent(cores: number | null): string {
  return cores === null ? "-" : (cores * 100).toFixed(1);
}

/** `12s`, `3m12s`, `4h5m`, `3d4h`. */
function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  if (days > 0) return `${days}d${hours}h`;
  if (hours > 0) return `${hours}h${minutes}m`;
  if (minutes > 0) return `${minutes}m${whole % 60}s`;
  return `${whole}s`;
}

/** Time since a moment as ISO 8601; `-` without one. */
export function age(since: string | null, nowIso: string): string {
  return since === null ? "-" : span((Date.parse(nowIso) - Date.parse(since)) / 1000);
}

export function count(value: number | null): string {
  return value === null ? "-" : String(value);
}
