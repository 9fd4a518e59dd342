/** The inside of a series' braces. */
export function labelText(labels: readonly string[], values: readonly string[]): string {
  return labels.map((label, index) => `${label}="${escapeLabel(values[index] ?? "")}"`).join(",");
}

/**
 * The label texts of a subject, kept since the same subjects come again and again.
 * @param last values of the last labels: a subject has a text for each
 * @returns a function of the values of the first labels, and of how many subjects there are: texts of about as many are kept
 */
export function createLabelTexts(
  labels: readonly string[],
  last: readonly (readonly string[])[],
): (leading: readonly string[], count: number) => readonly string[] {
  const known = new Map<string, readonly string[]>();
  return (leading, count) => {
    const key = leading.length === 1 ? (leading[0] ?? "") : leading.join("\0");
    let texts = known.get(key);
    if (texts === undefined) {
      if (known.size > 2 * count) known.clear();
      texts = last.map((values) => labelText(labels, [...leading, ...values]));
      known.set(key, texts);
    }
    return texts;
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
