import type { RestartAnswer, RestartRequest } from "../api.ts";
import { AgentError } from "../errors.ts";

/** `web` of `web/*`, which names every program of the container; undefined for another selector. */
export function eachProgramOf(selector: string): string | undefined {
  return /^([^/@]+)\/\*$/u.exec(selector)?.[1];
}

/**
 * Restarts the programs of a container one after the other; none before each of them has a plan. The first that fails
 * ends it.
 * @throws AgentError `not_restartable` without programs; else as `restart` does, saying which were restarted before
 */
export async function restartEach(
  request: RestartRequest,
  container: string,
  programs: readonly string[],
  restart: (request: RestartRequest) => Promise<RestartAnswer>,
): Promise<RestartAnswer> {
  const selectors = programs.map((program) => `${container}/${program}`);
  const plans: RestartAnswer[] = [];
  for (const selector of selectors) plans.push(await restart({ ...request, selector, dryRun: true }));
  const [first] = plans;
  if (first === undefined)
    throw new AgentError("not_restartable", `${container} has no program beside its init`);
  if (request.dryRun === true) return join(container, first, plans);
  const answers: RestartAnswer[] = [];
  for (const selector of selectors) {
    try {
      answers.push(await restart({ ...request, selector }));
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      const done = selectors.slice(0, answers.length);
      const before =
        done.length === 0 ? "nothing was restarted before" : `restarted before: ${done.join(", ")}`;
      throw new AgentError(error.code, `${error.message}; ${before}`, {
        details: error.details,
        cause: error,
      });
    }
  }
  return join(container, first, answers);
}

function join(container: string, first: RestartAnswer, answers: readonly RestartAnswer[]): RestartAnswer {
  const plans = answers.map(({ plan }, index) => `(${index + 1}) ${plan}`).join("; ");
  return {
    action: "restart",
    driver: first.driver,
    plan: `each program of ${container} in turn, the container stays up: ${plans}`,
    warnings: [...new Set(answers.flatMap(({ warnings }) => warnings))],
    dryRun: answers.every(({ dryRun }) => dryRun),
    old: answers.flatMap(({ old }) => old),
    new: answers.flatMap((answer) => answer.new),
    seconds: Math.round(answers.reduce((sum, { seconds }) => sum + seconds, 0) * 10) / 10,
  };
}
