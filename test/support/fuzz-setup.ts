import { appendFileSync } from "node:fs";
import fc from "fast-check";

// `npm run fuzz` asks for more cases than a test run has time for, and counts them. A property that says itself how many
// it wants keeps to that.
const runs = Number(process.env.PIDWARD_FUZZ_RUNS ?? 0);
const record = process.env.PIDWARD_FUZZ_RECORD;
if (runs > 0 && record !== undefined) {
  fc.configureGlobal({
    numRuns: runs,
    reporter: (details) => {
      appendFileSync(record, `${details.numRuns} ${details.failed ? "failed" : "held"}\n`);
      if (details.failed) throw new Error(fc.defaultReportMessage(details));
    },
  });
}
