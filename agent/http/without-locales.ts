import { standIn } from "../stand-in.ts";

/**
 * Stands in for zod's messages in fifty languages, of which the agent uses the English ones, which zod loads apart: a megabyte
 * that stays. To be imported before zod is.
 */
standIn(require.resolve("zod/v4/locales"), {});
