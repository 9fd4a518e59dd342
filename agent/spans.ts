const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Reads a span in the form that Prometheus uses: `500ms`, `10s`, `1m30s`, `2h`; a bare number is seconds.
 * @returns milliseconds
 * @throws Error that names the text
 */
export function parseSpan(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text))
    throw new Error(`"${text}" is not a span like 500ms, 10s or 1m30s`);
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce(
    (total, [, amount, unit]) => total + Number(amount) * (units[unit ?? ""] ?? 0),
    0,
  );
}
