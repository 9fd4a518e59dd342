/** What stands in the place of a secret. */
const mask = "***";

/** Names whose values are secrets: of options, of variables, of parameters in URLs. */
const secretName =
  /password|passwd|passphrase|(?:^|[-_.])pass$|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credential|(?:^|[-_])auth$/i;

/**
 * Masks the arguments of a command line that look like secrets: `--password=x`, `--password x`, `TOKEN=x`,
 * `https://user:x@host`, `Authorization: Bearer x`. What a program calls otherwise cannot be known; it is shown.
 */
export function redactArguments(argv: readonly string[]): readonly string[] {
  let isValueNext = false;
  return argv.map((argument) => {
    const isValue = isValueNext && !argument.startsWith("-");
    isValueNext = /^--?[\w-]+$/.test(argument) && secretName.test(argument);
    return isValue ? mask : redactArgument(argument);
  });
}

function redactArgument(argument: string): string {
  const assigned = /^(-{0,2}[\w.-]+)=/.exec(argument);
  if (assigned?.[1] !== undefined && secretName.test(assigned[1])) return `${assigned[1]}=${mask}`;
  // An argument can be a whole script, as behind `sh -c`.
  return argument
    .replace(/(\b[a-z][a-z\d+.-]{0,20}:\/\/[^/\s:@]{0,256}:)[^/\s@]{1,1024}@/gi, `$1${mask}@`)
    .replace(/(authorization:\s*(?:\w+\s+)?)\S.*/i, `$1${mask}`)
    .replace(/\b([\w.-]{1,64})=[^&;\s"']+/g, (whole, name: string) =>
      secretName.test(name) ? `${name}=${mask}` : whole,
    )
    .replace(/(\s--?([\w-]{1,64})\s+)[^\s"'-][^\s"']*/g, (whole, before: string, name: string) =>
      secretName.test(name) ? before + mask : whole,
    );
}
