import type { Explanation } from './entry.ts';
import { HOST_TERMS } from './terms-host.ts';
import { PROTOCOL_TERMS } from './terms-protocol.ts';

/** What terms of the field mean. */
export const TERMS: Readonly<Record<string, Explanation>> = { ...PROTOCOL_TERMS, ...HOST_TERMS };
