import { Module } from "node:module";

/**
 * Has what a module exports be this, for all who load it from now on: for parts of a library that the agent does not use.
 * @param file the module's, as `require.resolve` gives it
 */
export function standIn(file: string, exports: unknown): void {
  const stub = new Module(file);
  stub.exports = exports;
  stub.loaded = true;
  require.cache[file] ??= stub;
}
