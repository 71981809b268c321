import type { Explanation } from './entry.ts';
export const TERMS: Readonly<Record<string, Explanation>> = {};
