import type { Finding } from "../../api.ts";
import { type Command, jsonFlag, printedJson } from "../command.ts";
import type { Colour } from "../table.ts";
import { pad, safe } from "../text.ts";

export const doctor: Command = {
  name: "doctor",
  args: "",
  least: 0,
  most: 0,
  summary: "what this host gives, what is missing and how to give it (needs no agent)",
  flags: [jsonFlag],
  run: async (input) => {
    const findings = await input.examineHost();
    if (printedJson(input, findings)) return 0;
    const width = Math.max(...findings.map((finding) => finding.subject.length));
    for (const { subject, level, message, remedy } of findings) {
      const mark = input.table.style(colours[level], pad(level, "missing".length, "right"));
      input.out(`${mark}  ${pad(safe(subject), width, "right")}  ${safe(message)}\n`);
      if (remedy !== null) input.out(`${" ".repeat("missing".length + 2 + width + 2)}→ ${safe(remedy)}\n`);
    }
    return 0;
  },
};

const colours: Readonly<Record<Finding["level"], Colour>> = {
  ok: "green",
  info: "dim",
  warning: "yellow",
  missing: "red",
};
