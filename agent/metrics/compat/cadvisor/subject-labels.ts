import type { Container } from "../../../model.ts";
import { labelText } from "../../label-text.ts";

/** Labels come from images and from whoever starts containers: what is beyond is left out or cut. */
const mostLabels = 64;
const longestName = 128;
const longestValue = 1024;

/**
 * The labels of a cgroup's series: `id`, and of a container that an engine knows also `name`, `image` and those of its
 * own labels that are wanted, as `container_label_…`.
 */
export function subjectLabels(
  path: string,
  container: Container | undefined,
  isWanted: (label: string) => boolean,
): string {
  const pairs = new Map([["id", path]]);
  if (container?.name != null) pairs.set("name", container.name);
  if (container?.image != null) pairs.set("image", container.image);
  for (const [name, value] of wantedLabels(container, isWanted)) pairs.set(name, value);
  return labelText([...pairs.keys()], [...pairs.values()]);
}

function wantedLabels(
  container: Container | undefined,
  isWanted: (label: string) => boolean,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  // Sorted, so that of two labels that become one name it is always the same one that stays.
  for (const label of Object.keys(container?.labels ?? {}).sort()) {
    if (found.size === mostLabels) break;
    const value = container?.labels[label] ?? "";
    if (label.length > longestName || value === "" || !isWanted(label)) continue;
    const name = `container_label_${label.replaceAll(/[^a-zA-Z0-9_]/g, "_")}`;
    if (!found.has(name)) found.set(name, value.slice(0, longestValue));
  }
  return found;
}
