export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * Reads the text format strictly; written apart from the code that writes it.
 * @throws Error at the first line that is not in the format
 */
export function parseExposition(text: string): readonly Series[] {
  return text.split("\n").flatMap((line) => {
    if (line === "" || line.startsWith("# ")) return [];
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/s.exec(line);
    if (match === null) throw new Error(`no series: ${JSON.stringify(line)}`);
    const [, name = "", labels = "", value = ""] = match;
    return [
      {
        name,
        labels: parseLabels(labels),
        value: value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value),
      },
    ];
  });
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== "") {
    const match = /^([a-zA-Z_]\w*)="((?:[^"\\]|\\["\\n])*)"(,|$)/.exec(rest);
    if (match === null) throw new Error(`no label: ${JSON.stringify(rest)}`);
    const [whole, label = "", value = ""] = match;
    if (label in labels) throw new Error(`label ${label} stands twice`);
    labels[label] = value.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
    rest = rest.slice(whole.length);
  }
  return labels;
}
