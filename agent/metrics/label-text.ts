/** The inside of a series' braces. */
export function labelText(labels: readonly string[], values: readonly string[]): string {
  return labels.map((label, index) => `${label}="${escapeLabel(values[index] ?? "")}"`).join(",");
}

/** The label text of a subject, kept while the subject is asked for: those not asked for in a while are dropped. */
export function createLabelTexts(labels: readonly string[]): (values: readonly string[]) => string {
  let recent = new Map<string, string>();
  let older = new Map<string, string>();
  return (values) => {
    const key = values.join("\0");
    const known = recent.get(key) ?? older.get(key) ?? labelText(labels, values);
    recent.set(key, known);
    if (recent.size > 20_000) {
      older = recent;
      recent = new Map();
    }
    return known;
  };
}

/** Values come from containers: any character is possible, and half a surrogate pair is no UTF-8. */
function escapeLabel(value: string): string {
  const clean = value.isWellFormed() ? value : value.toWellFormed();
  return /["\\\n]/.test(clean)
    ? clean.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")
    : clean;
}

export function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}
