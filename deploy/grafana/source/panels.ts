// What the dashboards are put together from. Grafana's own names for its options stand in quotes where ours differ.

/** A query; `legend` by Grafana's rules (`{{label}}`). */
export interface Query {
  readonly expr: string;
  readonly legend?: string;
}

export type Unit =
  | "short"
  | "none"
  | "percentunit"
  | "bytes"
  | "Bps"
  | "s"
  | "dtdurations"
  | "cores"
  | "ops"
  | "cps";

/** From which value on which colour; the first has none. */
export type Thresholds = readonly (readonly [
  from: number | null,
  color: "green" | "orange" | "red" | "text",
])[];

export interface PanelOptions {
  readonly title: string;
  /** What the figure says, and what to look at next. */
  readonly description: string;
  readonly unit?: Unit;
  readonly thresholds?: Thresholds;
  /** Of 24. */
  readonly width?: number;
  readonly height?: number;
  readonly min?: number;
  readonly max?: number;
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
type JsonObject = { readonly [name: string]: Json };

/** A panel without its place. */
export interface Panel {
  readonly width: number;
  readonly height: number;
  readonly json: JsonObject;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export const datasource: JsonObject = { type: "prometheus", uid: "$datasource" };

const calm: Thresholds = [[null, "green"]];

function thresholdsJson(thresholds: Thresholds): JsonObject {
  return { mode: "absolute", steps: thresholds.map(([value, color]) => ({ color, value })) };
}

function defaults({ unit, thresholds, min, max }: PanelOptions): { [name: string]: Json } {
  return {
    // Grafana has no unit for cores: a number with a word behind it.
    unit: unit === "cores" ? "suffix: cores" : (unit ?? "short"),
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    thresholds: thresholdsJson(thresholds ?? calm),
  };
}

function refId(index: number): string {
  return String.fromCharCode("A".charCodeAt(0) + index);
}

function targets(queries: readonly Query[], more: JsonObject): Json {
  return queries.map(({ expr, legend }, index) => ({
    refId: refId(index),
    datasource,
    expr,
    ...(legend === undefined ? {} : { legendFormat: legend }),
    ...more,
  }));
}

function panel(
  type: string,
  options: PanelOptions,
  size: readonly [width: number, height: number],
  rest: JsonObject,
): Panel {
  const { title, description, width, height } = options;
  return {
    width: width ?? size[0],
    height: height ?? size[1],
    json: { type, title, description, datasource, ...rest },
  };
}

/** One figure. */
export function stat(options: PanelOptions, query: Query): Panel {
  return panel("stat", options, [3, 4], {
    fieldConfig: { defaults: defaults(options), overrides: [] },
    options: {
      colorMode: options.thresholds === undefined ? "none" : "value",
      graphMode: "area",
      reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
    },
    targets: targets([query], {}),
  });
}

export interface GraphOptions extends PanelOptions {
  /** `bars` for what happens at a moment. */
  readonly draw?: "line" | "area" | "bars";
  readonly stacked?: boolean;
}

/** Figures over time; the legend is a table with the last and the highest of each. */
export function graph(options: GraphOptions, ...queries: readonly Query[]): Panel {
  const draw = options.draw ?? (options.stacked === true ? "area" : "line");
  return panel("timeseries", options, [12, 8], {
    fieldConfig: {
      defaults: {
        ...defaults(options),
        custom: {
          drawStyle: draw === "bars" ? "bars" : "line",
          fillOpacity: draw === "line" ? 5 : draw === "area" ? 30 : 80,
          lineWidth: 1,
          showPoints: "never",
          stacking: { mode: options.stacked === true ? "normal" : "none", group: "A" },
          thresholdsStyle: { mode: options.thresholds === undefined ? "off" : "dashed" },
        },
      },
      overrides: [],
    },
    options: {
      legend: {
        displayMode: "table",
        placement: "bottom",
        calcs: draw === "bars" ? ["sum"] : ["lastNotNull", "max"],
      },
      tooltip: { mode: "multi", sort: "desc" },
    },
    targets: targets(queries, {}),
  });
}

/** A band for each series, coloured by what its figure stands for. */
export function timeline(
  options: PanelOptions,
  words: Readonly<Record<string, readonly [word: string, color: string]>>,
  query: Query,
): Panel {
  const entries = Object.entries(words).map(([value, [text, color]], index) => [
    value,
    { text, color, index },
  ]);
  return panel("state-timeline", options, [24, 8], {
    fieldConfig: {
      defaults: {
        ...defaults(options),
        mappings: [{ type: "value", options: Object.fromEntries(entries) }],
        custom: { fillOpacity: 80, lineWidth: 0 },
      },
      overrides: [],
    },
    options: { mergeValues: true, showValue: "never", rowHeight: 0.9, legend: { showLegend: true } },
    targets: targets([query], {}),
  });
}

/** A column of a table: of a label, or of the query's figure. */
export type Column =
  | { readonly label: string; readonly title: string }
  | { readonly expr: string; readonly title: string; readonly unit?: Unit; readonly thresholds?: Thresholds }
  /** A query for its labels alone. */
  | { readonly expr: string; readonly title: null };

/** The last figures, one row for each set of the labels that the queries share. */
export function table(options: PanelOptions, columns: readonly Column[]): Panel {
  const queries = columns.filter((column) => "expr" in column);
  const field = (index: number): string => (queries.length === 1 ? "Value" : `Value #${refId(index)}`);
  const names = new Map(queries.map((query, index) => [query, field(index)]));
  const shown = columns.filter((column) => column.title !== null);
  const nameOf = (column: Column): string => ("label" in column ? column.label : (names.get(column) ?? ""));
  const hidden = ["Time", ...queries.filter(({ title }) => title === null).map(nameOf)];
  const overrides = shown.flatMap((column) => {
    if (!("expr" in column) || column.title === null) return [];
    const unit = { id: "unit", value: defaults({ ...options, ...column }).unit ?? null };
    const color = [
      { id: "thresholds", value: thresholdsJson(column.thresholds ?? calm) },
      { id: "custom.cellOptions", value: { type: "color-text" } },
    ];
    return [
      {
        matcher: { id: "byName", options: column.title },
        properties: [unit, ...(column.thresholds === undefined ? [] : color)],
      },
    ];
  });
  return panel("table", options, [24, 9], {
    fieldConfig: { defaults: { custom: { filterable: true } }, overrides },
    options: { cellHeight: "sm", footer: { show: false } },
    targets: targets(queries, { format: "table", instant: true, range: false }),
    transformations: [
      { id: "merge", options: {} },
      {
        id: "organize",
        options: {
          excludeByName: Object.fromEntries(hidden.map((name) => [name, true])),
          indexByName: Object.fromEntries(shown.map((column, index) => [nameOf(column), index])),
          renameByName: Object.fromEntries(shown.map((column) => [nameOf(column), column.title ?? ""])),
        },
      },
    ],
  });
}
