import { randomBytes } from 'node:crypto';
import { ApiError } from './api-error.ts';

const LIFETIME_MS = 300_000;
const MAX_TOKENS = 100;

/** What a token allows: this plan, on this incident, to whom it was shown. */
export interface ConfirmedPlan {
  readonly incidentId: number;
  readonly remedyId: string;
  readonly planId: string;
}

interface Entry extends ConfirmedPlan {
  readonly asker: string;
  readonly expiresMs: number;
}

/** Tokens that let a plan be done that was shown before: each once, for five minutes. */
export class ConfirmTokens {
  readonly #entries: Map<string, Entry> = new Map();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Makes a token for a plan that is being shown. */
  issue(plan: ConfirmedPlan, asker: string): { readonly token: string; readonly expiresMs: number } {
    const { incidentId, remedyId, planId } = plan;
    const token = randomBytes(24).toString('base64url');
    const expiresMs = this.#now() + LIFETIME_MS;
    this.#entries.set(token, { incidentId, remedyId, planId, asker, expiresMs });
    const oldest = this.#entries.size > MAX_TOKENS ? this.#entries.keys().next().value : undefined;
    if (oldest !== undefined) this.#entries.delete(oldest);
    return { token, expiresMs };
  }

  /**
   * Takes a token back, for the plan that it allows.
   * @throws ApiError 409 when it was never given for this, was used, or is too old
   */
  redeem(token: string, incidentId: number, asker: string): ConfirmedPlan {
    const entry = this.#entries.get(token);
    if (entry === undefined || entry.incidentId !== incidentId || entry.asker !== asker) {
      throw new ApiError(409, 'confirm-unknown', 'this confirmation is not known, or was used before', {
        hint: 'preview the repair again',
      });
    }
    this.#entries.delete(token);
    if (entry.expiresMs < this.#now()) {
      throw new ApiError(409, 'confirm-expired', 'this confirmation is older than five minutes', {
        hint: 'preview the repair again',
      });
    }
    return entry;
  }
}
