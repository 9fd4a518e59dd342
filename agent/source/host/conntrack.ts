// entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart
// 00000021  00000000 00000000 00000000 00000003 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000  00000000 00000000 00000000 00000000
import { fieldsOf, hexadecimal } from "./fields.ts";

/** /proc/PID/net/stat/nf_conntrack: `entries` is the table's, the other columns are summed over the CPUs' lines. */
export function parseConntrack(text: string): ReadonlyMap<string, number> {
  const [head = "", ...lines] = text.split("\n");
  const names = fieldsOf(head);
  const sums = new Map<string, number>();
  for (const line of lines) {
    for (const [index, field] of fieldsOf(line).entries()) {
      const [name, value] = [names[index], hexadecimal(field)];
      if (name === undefined || value === undefined) continue;
      sums.set(name, name === "entries" ? value : (sums.get(name) ?? 0) + value);
    }
  }
  return sums;
}
