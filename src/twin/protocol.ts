import type { PassedFailure } from '../host/passed-failure.ts';
import type { HostState } from './state.ts';
import type { TwinOptions } from './twin.ts';

/** What the process of a twin is told. The question of `build` is a {@link BuildQuestion}; others are of `Operations`. */
export interface ToTwin {
  readonly id: number;
  readonly do: string;
  readonly question: unknown;
}

/** Of what a twin is to be built, and how. */
export interface BuildQuestion {
  readonly state: HostState;
  readonly options: TwinOptions;
}

/** What it tells. */
export type FromTwin =
  | { readonly ready: true }
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly failure: PassedFailure };

/** What is known of a twin when it is built. */
export interface TwinSummary {
  readonly assumptions: readonly string[];
  readonly notCopied: readonly string[];
  readonly deadNeighbours: readonly string[];
  readonly halfOpen: number;
  readonly hasStatefulFilters: boolean;
  readonly staleConnection?: 'ESTAB' | 'TIME-WAIT';
  readonly elapsedMs: number;
}
