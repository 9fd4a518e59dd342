// A machine that is emulated in full: slow, but it needs neither KVM nor a right.
import { spawn } from "node:child_process";

/**
 * Runs until the guest switches itself off. What its first serial line says goes to stderr, the second's to a file.
 * @param machine `{ kernel, initrd, results }`: files
 * @param stop an AbortSignal, which ends the machine
 * @returns why it did not end by itself; undefined when it did
 */
export async function runMachine({ kernel, initrd, results }, stop) {
  const args = [
    ["-kernel", kernel],
    ["-initrd", initrd],
    // A panic becomes a reboot at once, and that ends the emulator.
    ["-append", "console=ttyS0 panic=-1 loglevel=4", "-no-reboot"],
    // Not -nographic: the firmware would speak, too, and clear the terminal.
    ["-display", "none"],
    ["-monitor", "none"],
    ["-serial", "stdio"],
    ["-serial", `file:${results}`],
    ["-net", "none"],
    ["-m", "2048", "-smp", "2"],
    ["-cpu", "max"],
    ["-accel", "tcg,thread=multi"],
  ].flat();
  // `nice` becomes the emulator: it is the same process.
  const machine = spawn("nice", ["qemu-system-x86_64", ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    signal: stop,
    killSignal: "SIGKILL",
  });
  machine.stdout.pipe(process.stderr, { end: false });
  let failure;
  machine.once("error", (error) => {
    failure = error.message;
  });
  const code = await new Promise((resolve) => machine.once("close", resolve));
  if (stop.aborted) return stop.reason;
  return failure ?? (code === 0 ? undefined : `the emulator ended with ${code}`);
}
