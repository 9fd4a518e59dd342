import stringWidth from "string-width";
import { cut, pad, safe } from "./text.ts";

export type Colour = "red" | "yellow" | "green" | "dim" | "bold";

/** Puts colour around a text, or not. */
export type Style = (colour: Colour, text: string) => string;

export interface Column<Row> {
  readonly header: string;
  readonly align?: "left" | "right";
  /** Widest that it becomes on a terminal. */
  readonly most?: number;
  readonly cell: (row: Row) => string;
  readonly colour?: (row: Row) => Colour | undefined;
}

export interface TableSettings {
  /** Width of the terminal; undefined when the output is no terminal: nothing is cut then. */
  readonly width: number | undefined;
  readonly style: Style;
}

/** Between two columns. */
const gap = "  ";
/** The last column is not cut below this. */
const leastLast = 10;

/** Rows in aligned columns. On a terminal the last column is cut at its width. All cells are made safe to show. */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  settings: TableSettings,
): string {
  const cells = rows.map((row) =>
    columns.map((column) => limit(safe(column.cell(row)), column.most, settings)),
  );
  const widths = columns.map((column, index) =>
    Math.max(column.header.length, ...cells.map((line) => stringWidth(line[index] ?? ""))),
  );
  const last = columns.length - 1;
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + gap.length, 0);
  const room = settings.width === undefined ? undefined : Math.max(leastLast, settings.width - before);
  const format = (texts: readonly string[], paint: (index: number, text: string) => string): string =>
    texts
      .map((text, index) => {
        const shown = index === last && room !== undefined ? cut(text, room) : text;
        const side = columns[index]?.align === "right" ? "left" : "right";
        const padded = index === last && side === "right" ? shown : pad(shown, widths[index] ?? 0, side);
        return paint(index, padded);
      })
      .join(gap)
      .trimEnd();
  const header = format(
    columns.map((column) => column.header),
    (_, text) => settings.style("bold", text),
  );
  const body = rows.map((row, line) =>
    format(cells[line] ?? [], (index, text) => {
      const colour = columns[index]?.colour?.(row);
      return colour === undefined ? text : settings.style(colour, text);
    }),
  );
  return `${[header, ...body].join("\n")}\n`;
}

/** Rows of one host, with columns that may depend on its answer. */
export interface HostRows<Row> {
  readonly host: string | undefined;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
}

/** One table of the rows of all hosts. Where they have names, these are the first column. */
export function formatHostTable<Row>(parts: readonly HostRows<Row>[], settings: TableSettings): string {
  const [first] = parts;
  if (first === undefined) return "";
  if (first.host === undefined) return formatTable(first.columns, first.rows, settings);
  type HostRow = Omit<HostRows<Row>, "rows"> & { readonly row: Row };
  const rows = parts.flatMap((part) => part.rows.map((row): HostRow => ({ ...part, row })));
  const columns = first.columns.map(
    (column, index): Column<HostRow> => ({
      ...column,
      cell: ({ columns: own, row }) => (own[index] ?? column).cell(row),
      colour: ({ columns: own, row }) => (own[index] ?? column).colour?.(row),
    }),
  );
  return formatTable([{ header: "HOST", cell: ({ host }) => host ?? "" }, ...columns], rows, settings);
}

/** Names and values, one a line. */
export function formatFacts(facts: readonly (readonly [string, string])[], settings: TableSettings): string {
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts
    .map(([name, value]) => {
      const line = `${settings.style("bold", pad(name, width, "right"))}  `;
      const shown = safe(value);
      return `${line}${settings.width === undefined ? shown : cut(shown, Math.max(leastLast, settings.width - width - 2))}\n`;
    })
    .join("");
}

function limit(text: string, most: number | undefined, settings: TableSettings): string {
  return most === undefined || settings.width === undefined ? text : cut(text, most);
}
