import { datasource, type Panel, type Row } from "./panels.ts";

export interface Variable {
  readonly name: string;
  readonly label: string;
  /** As Grafana asks Prometheus: `label_values(metric, label)`. */
  readonly query: string;
  /** Several at once, or all. */
  readonly many: boolean;
}

/** Marks on all graphs, where the query has a figure above 0. */
export interface Annotation {
  readonly name: string;
  readonly expr: string;
  readonly title: string;
  readonly color: string;
}

export interface DashboardParts {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly Variable[];
  readonly annotations: readonly Annotation[];
  readonly rows: readonly Row[];
}

/** The hosts, as the agents on them are scraped. */
export const instanceVariable: Variable = {
  name: "instance",
  label: "Host",
  query: "label_values(pidward_build_info, instance)",
  many: false,
};

/** The model that Grafana's provisioning takes. */
export function dashboard({ uid, title, description, variables, annotations, rows }: DashboardParts): object {
  return {
    uid,
    title,
    description,
    tags: ["pidward"],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    time: { from: "now-1h", to: "now" },
    refresh: "30s",
    links: [
      {
        type: "dashboards",
        title: "pidward",
        tags: ["pidward"],
        asDropdown: false,
        includeVars: true,
        keepTime: true,
      },
    ],
    annotations: { list: annotations.map(annotationJson) },
    templating: {
      list: [
        { name: "datasource", label: "Data source", type: "datasource", query: "prometheus", current: {} },
        ...variables.map(variableJson),
      ],
    },
    panels: place(rows),
  };
}

function annotationJson({ name, expr, title, color }: Annotation): object {
  return { name, datasource, enable: true, iconColor: color, expr, titleFormat: title, step: "1m" };
}

function variableJson({ name, label, query, many }: Variable): object {
  return {
    name,
    label,
    type: "query",
    datasource,
    query: { query, refId: name },
    refresh: 2,
    sort: 1,
    multi: many,
    includeAll: many,
    // The host's own programs have an empty container: all is not only what has a name.
    ...(many ? { allValue: ".*", current: { text: "All", value: "$__all" } } : { current: {} }),
  };
}

const columns = 24;

/** From left to right, then below the highest of the line. */
function place(rows: readonly Row[]): readonly object[] {
  const placed: object[] = [];
  let [x, y, lineHeight] = [0, 0, 0];
  const put = ({ width, height, json }: Panel): void => {
    if (x + width > columns) [x, y, lineHeight] = [0, y + lineHeight, 0];
    placed.push({ id: placed.length + 1, gridPos: { x, y, w: width, h: height }, ...json });
    x += width;
    lineHeight = Math.max(lineHeight, height);
  };
  const endLine = (): void => {
    [x, y, lineHeight] = [0, y + lineHeight, 0];
  };
  for (const { title, panels } of rows) {
    put({ width: columns, height: 1, json: { type: "row", title, collapsed: false, panels: [] } });
    endLine();
    panels.forEach(put);
    endLine();
  }
  return placed;
}
