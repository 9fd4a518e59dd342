import { type CliParts, runCli } from "../../agent/cli/run-cli.ts";

/**
 * Runs the command line in this process: nobody at the terminal, nothing set, no host to examine.
 * @param facts what is otherwise
 * @returns what it printed and its exit code
 */
export async function runHere(
  argv: readonly string[],
  facts: Partial<CliParts> & Pick<CliParts, "defaultHost">,
) {
  let out = "";
  let err = "";
  const code = await runCli(argv, {
    out: (text) => (out += text),
    err: (text) => (err += text),
    stdio: process,
    columns: undefined,
    env: {},
    version: "1.2.3",
    settings: [],
    runAgent: async () => 0,
    examineHost: async () => [],
    ...facts,
  });
  return { code, out, err };
}
