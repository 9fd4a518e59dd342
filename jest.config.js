/** Two projects: `unit` runs alone; `integration` needs the real parts that test/support/global-setup.ts starts. */
const shared = {
  roots: ["<rootDir>/agent", "<rootDir>/test"],
  testEnvironment: "node",
  transform: {
    "\\.ts$": [
      "@swc/jest",
      { jsc: { target: "es2023", parser: { syntax: "typescript" } }, module: { type: "commonjs" } },
    ],
  },
};

module.exports = {
  /** One after the other: suites look at the whole host, and count what they find there. */
  maxWorkers: 1,
  projects: [
    {
      ...shared,
      displayName: "unit",
      setupFiles: ["<rootDir>/test/support/fuzz-setup.ts"],
      testMatch: ["<rootDir>/test/**/*.test.ts"],
      testPathIgnorePatterns: ["<rootDir>/test/integration/"],
    },
    {
      ...shared,
      displayName: "integration",
      testMatch: ["<rootDir>/test/integration/**/*.test.ts"],
      globalSetup: "<rootDir>/test/support/global-setup.ts",
      globalTeardown: "<rootDir>/test/support/global-teardown.ts",
    },
  ],
  /** Milliseconds. Real engines and managers on a busy machine take their time; a test that hangs is still named. */
  testTimeout: 60_000,
  coverageProvider: "v8",
  collectCoverageFrom: ["agent/**/*.ts"],
};
