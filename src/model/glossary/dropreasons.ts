import type { Explanation } from './entry.ts';
export const DROP_REASONS: Readonly<Record<string, Explanation>> = {};
