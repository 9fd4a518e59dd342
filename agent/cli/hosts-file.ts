// hosts:
//   web-1: https://web-1.example.org:10776
//   web-2: { address: https://web-2.example.org:10776, token_file: web-2.token }
// groups:
//   prod: [web-1, web-2]
// defaults: { ca: ca.crt, token_file: token }
import { z } from "zod";
import { readYaml } from "../yaml-file.ts";
import { nameForm } from "./host-names.ts";

const text = z.string({ error: "is not a text" }).min(1, "is empty");
const name = text.regex(nameForm, "is no name: letters, digits, ., _ and -");
const address = text.regex(/^(unix:\/\/\/.|https?:\/\/.)/, "is neither unix:///path nor http(s)://host:port");
const credentials = {
  ca: text.optional(),
  cert: text.optional(),
  key: text.optional(),
  token_file: text.optional(),
};

const hostsFile = z
  .strictObject({
    hosts: z.record(
      name,
      z.union([address.transform((one) => ({ address: one })), z.strictObject({ address, ...credentials })], {
        error: (issue) => worst(issue.errors),
      }),
      { error: "is missing: names of hosts with their addresses" },
    ),
    groups: z.record(name, z.array(text, { error: "is not a list of hosts" })).default({}),
    defaults: z.strictObject(credentials).default({}),
  })
  .superRefine((file, context) => {
    for (const [group, members] of Object.entries(file.groups)) {
      for (const [index, member] of members.entries()) {
        if (!Object.hasOwn(file.hosts, member))
          context.addIssue({
            code: "custom",
            path: ["groups", group, index],
            message: `"${member}" is not among hosts`,
          });
      }
    }
  });

/** What is wrong with an entry as a map says more than what is wrong with it as a text. */
function worst(errors: readonly (readonly z.core.$ZodIssue[])[] | undefined): string {
  const issue = errors?.findLast((each) => each.some((one) => one.path.length > 0))?.[0] ?? errors?.[0]?.[0];
  return [...(issue?.path ?? []).map(String), issue?.message ?? "is wrong"].join(" ");
}

export type HostsFile = z.output<typeof hostsFile>;

/**
 * @param file its name, for messages
 * @throws AgentError `bad_request` with `FILE:LINE:` and what is wrong
 */
export function parseHostsFile(yaml: string, file: string): HostsFile {
  return readYaml(yaml, file, hostsFile);
}
