// /proc/PID/cmdline: nginx\0-g\0daemon off;\0
// /proc/PID/environ: PATH=/usr/bin:/bin\0HOME=/root\0

/**
 * Splits what the kernel ends with NUL each: cmdline (proc_pid_cmdline(5)) and environ (proc_pid_environ(5)). A program
 * can write anything over both: a missing last NUL is forgiven, bytes that are not UTF-8 become U+FFFD.
 */
export function parseStrings(bytes: Buffer, length: number): readonly string[] {
  if (length === 0) return [];
  const end = bytes[length - 1] === 0 ? length - 1 : length;
  return bytes.toString("utf8", 0, end).split("\0");
}
