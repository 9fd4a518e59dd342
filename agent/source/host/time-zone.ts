// The last line of a TZif file (RFC 8536): CET-1CEST,M3.5.0,M10.5.0/3 · UTC0 · <+0330>-3:30

interface ZoneName {
  readonly name: string;
  /** East of Greenwich. */
  readonly offsetSeconds: number;
}

/**
 * The abbreviation that a zone has for an offset, of those that its rule for the present names.
 * @returns undefined when the bytes are no TZif file of version 2 or later, or the rule has no such offset
 */
export function zoneNameAt(file: Buffer, offsetSeconds: number): string | undefined {
  if (file.toString("latin1", 0, 4) !== "TZif") return undefined;
  const rule = /\n([^\n]*)\n$/.exec(file.toString("latin1", Math.max(0, file.length - 200)))?.[1];
  return rule === undefined
    ? undefined
    : namesOf(rule).find((one) => one.offsetSeconds === offsetSeconds)?.name;
}

/** The standard time and, if there is one, the daylight saving time, which is an hour ahead unless it says else. */
function namesOf(rule: string): readonly ZoneName[] {
  const name = "([A-Za-z]{3,}|<[A-Za-z0-9+-]+>)";
  const span = "([+-]?\\d{1,3}(?::\\d{2}){0,2})";
  const match = new RegExp(`^${name}${span}(?:${name}${span}?)?`).exec(rule);
  if (match === null) return [];
  const [, standard = "", behind = "", summer, summerBehind] = match;
  const offset = -secondsOf(behind);
  const names = [{ name: bare(standard), offsetSeconds: offset }];
  if (summer !== undefined)
    names.push({
      name: bare(summer),
      offsetSeconds: summerBehind === undefined ? offset + 3600 : -secondsOf(summerBehind),
    });
  return names;
}

function bare(name: string): string {
  return name.replaceAll(/[<>]/g, "");
}

function secondsOf(span: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = span.replace(/^[+-]/, "").split(":").map(Number);
  const total = hours * 3600 + minutes * 60 + seconds;
  return span.startsWith("-") ? -total : total;
}
