// {{.Comm}}   {{ .Matches.Port -}}   {{.ExeBase}}:{{.Username}}
/** What a template can name of a process. */
export interface NameFacts {
  readonly Comm: string;
  readonly ExeBase: string;
  readonly ExeFull: string;
  readonly Username: string;
  readonly PID: string;
  readonly StartTime: string;
  readonly "StartTime.Unix": string;
  readonly Cgroups: string;
  readonly Cwd: string;
  /** The container's name; empty for the host's own. */
  readonly Container: string;
  /** By the names of groups in the regular expressions; under "" the last group without a name. */
  readonly matches: ReadonlyMap<string, string>;
}

export type NameField = Exclude<keyof NameFacts, "matches"> | "Matches";

const fields: readonly string[] = [
  "Comm",
  "ExeBase",
  "ExeFull",
  "Username",
  "PID",
  "StartTime",
  "StartTime.Unix",
  "Cgroups",
  "Cwd",
  "Container",
  "Matches",
] satisfies readonly NameField[];

/** The name of a group, with places for facts of a process. */
export interface NameTemplate {
  readonly uses: ReadonlySet<NameField>;
  render(facts: NameFacts): string;
}

/** A stretch of text, or a field; with a key it is one of the matches. */
type Piece = string | { readonly field: NameField; readonly key?: string };

/**
 * Reads the part of Go's text/template that names are made of: fields, with blanks and with trim markers, and comments.
 * @throws Error that quotes what is not of that part
 */
export function parseTemplate(text: string): NameTemplate {
  const pieces: Piece[] = [];
  let trimNext = false;
  let at = 0;
  const addText = (raw: string, trimEnd: boolean): void => {
    let part = trimNext ? raw.replace(/^[ \t\r\n]+/, "") : raw;
    if (trimEnd) part = part.replace(/[ \t\r\n]+$/, "");
    if (part !== "") pieces.push(part);
  };
  for (;;) {
    const open = text.indexOf("{{", at);
    if (open === -1) break;
    const close = text.indexOf("}}", open + 2);
    if (close === -1) throw new Error(`"{{" is not closed in ${JSON.stringify(text)}`);
    const inner = text.slice(open + 2, close);
    // A marker is a minus sign with a blank: "{{-3}}" is a number.
    const trimBefore = /^-[ \t\r\n]/.test(inner);
    addText(text.slice(at, open), trimBefore);
    trimNext = /[ \t\r\n]-$/.test(inner);
    const action = inner.slice(trimBefore ? 1 : 0, trimNext ? -1 : undefined).trim();
    if (!/^\/\*.*\*\/$/s.test(action)) pieces.push(parseField(action));
    at = close + 2;
  }
  addText(text.slice(at), false);
  return {
    uses: new Set(pieces.flatMap((piece) => (typeof piece === "string" ? [] : [piece.field]))),
    render: (facts) => pieces.map((piece) => renderPiece(piece, facts)).join(""),
  };
}

function parseField(action: string): Piece {
  const path = /^\.([\p{L}_][\p{L}\p{Nd}_]*(?:\.[\p{L}_][\p{L}\p{Nd}_]*)*)$/u.exec(action)?.[1];
  if (path === undefined) {
    throw new Error(
      `"{{${action}}}" is not understood: a template has fields such as {{.Comm}} only, no functions, pipes or conditions`,
    );
  }
  const field = fields.find((one) => one === path) as NameField | undefined;
  if (field !== undefined) return { field };
  const [first, key, ...more] = path.split(".");
  if (first === "Matches" && key !== undefined && more.length === 0) return { field: "Matches", key };
  throw new Error(`"{{.${path}}}" is no field: there are ${fields.map((one) => `.${one}`).join(", ")}`);
}

function renderPiece(piece: Piece, facts: NameFacts): string {
  if (typeof piece === "string") return piece;
  if (piece.field !== "Matches") return facts[piece.field];
  // What text/template writes for a key that a map does not have.
  if (piece.key !== undefined) return facts.matches.get(piece.key) ?? "<no value>";
  // As Go prints a map: in the order of its keys.
  const sorted = [...facts.matches].sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[${sorted.map(([key, value]) => `${key}:${value}`).join(" ")}]`;
}
