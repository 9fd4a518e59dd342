// What is run in the guest: the unit project's way, only what depends on the kernel, with patience for an emulated CPU.
import config from "../../../jest.config.js";

const [{ displayName: _, ...unit }] = config.projects;
const rootDir = new URL("../../..", import.meta.url).pathname;

export default {
  ...unit,
  rootDir,
  testMatch: [
    "<rootDir>/test/source/{bpf-changes,bpf-parts,bpf-source,exits}.test.ts",
    "<rootDir>/test/kernels/guest/agent-on-kernel.ts",
  ],
  testTimeout: 5_000 * Number(process.env.PIDWARD_TEST_SLOWNESS ?? 1),
};
