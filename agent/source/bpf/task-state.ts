// include/linux/sched.h: TASK_REPORT, TASK_IDLE; the letters are those of task_index_to_char()
const reported = 0x7f;
const idle = 0x402;
const letters = "RSDTtXZP";

/**
 * The letter that /proc/PID/stat has for a task.
 * @param state the task's `__state`
 * @param exitState its `exit_state`
 * @returns the letter's character code
 */
export function stateLetter(state: number, exitState: number): number {
  if ((state & idle) === idle && exitState === 0) return "I".charCodeAt(0);
  const bits = (state | exitState) & reported;
  // The position of the highest bit, counted from 1; 0 is running.
  return letters.charCodeAt(32 - Math.clz32(bits)) || "R".charCodeAt(0);
}
