import "./without-locales.ts";

export { z } from "zod";
