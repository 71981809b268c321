import type { IncidentService } from '../../model/incident.ts';
import { OTHER } from './registry.ts';

/** Gives names to a bounded number of things; those that come later share {@link OTHER}. */
export class BoundedLabels {
  readonly #known: Set<string> = new Set();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  /** The label of a thing: its own, or that of all others. */
  of(name: string): string {
    if (this.#known.has(name)) return name;
    if (this.#known.size >= this.#most) return OTHER;
    this.#known.add(name);
    return name;
  }
}

/** What a service is called before it is bounded: its port. */
export function serviceName({ port }: IncidentService): string {
  return port === undefined ? OTHER : String(port);
}
