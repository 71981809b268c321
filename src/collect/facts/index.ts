import type { Collector } from './collector.ts';

/** Every collector that asks the host itself; each provides one fact. */
export const HOST_COLLECTORS: readonly Collector[] = [];
