/** What a caller may do, each more than the one before: read; signal and restart; exec and attach. */
export const roles = ["viewer", "operator", "admin"] as const;
export type Role = (typeof roles)[number];
