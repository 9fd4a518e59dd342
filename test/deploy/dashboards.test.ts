import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { hostToProcess } from "../../deploy/grafana/source/host-to-process.ts";
import { whatChanged } from "../../deploy/grafana/source/what-changed.ts";

const folder = path.join(__dirname, "../../deploy/grafana/dashboards");
const sources: Readonly<Record<string, object>> = {
  "pidward-host-to-process.json": hostToProcess,
  "pidward-what-changed.json": whatChanged,
};

interface Placed {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[];
}

function panelsOf(name: string): readonly Placed[] {
  return JSON.parse(readFileSync(path.join(folder, name), "utf8")).panels;
}

test("the dashboards are those that their source makes (UPDATE_DASHBOARDS=1 writes them anew)", () => {
  for (const [name, model] of Object.entries(sources)) {
    const file = path.join(folder, name);
    const text = `${JSON.stringify(model, null, 2)}\n`;
    if (process.env.UPDATE_DASHBOARDS === "1") writeFileSync(file, text);
    expect(readFileSync(file, "utf8") === text ? "" : `${name} differs`).toBe("");
  }
  expect(readdirSync(folder).sort()).toEqual(Object.keys(sources).sort());
});

test.each(Object.keys(sources))(
  "%s: no panel covers another or leaves the grid, and each says what it shows",
  (name) => {
    const panels = panelsOf(name);
    const cells: string[] = [];
    for (const { gridPos, title, type, description, targets } of panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) cells.push(`${x} ${y}`);
      expect(title).not.toBe("");
      if (type === "row") continue;
      expect(description).toMatch(/\.$/);
      expect(new Set(targets?.map(({ refId }) => refId)).size).toBe(targets?.length);
    }
    expect(new Set(cells).size).toBe(cells.length);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  },
);
