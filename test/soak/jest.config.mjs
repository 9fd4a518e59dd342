import base from "../../jest.config.js";

const integration = base.projects.find(({ displayName }) => displayName === "integration");

export default {
  ...integration,
  displayName: "soak",
  rootDir: "../..",
  testMatch: ["<rootDir>/test/soak/soak.ts"],
};
