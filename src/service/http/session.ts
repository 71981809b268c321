import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { ApiError } from './api-error.ts';

/** Name of the cookie. */
const COOKIE = 'synscope_session';
/** A session ends so long after its last use. */
const SESSION_SECONDS = 43_200;
const MAX_SESSIONS = 100;

/** Wrong tokens that one address may send at once; another one is allowed each {@link REFILL_MS}. */
const TRIES = 5;
const REFILL_MS = 10_000;
/** Of all addresses together. */
const TRIES_OF_ALL = 50;
const MAX_ADDRESSES = 1000;

interface Bucket {
  left: number;
  atMs: number;
}

/** Who is logged in, and who tries too often. */
export class Sessions {
  readonly #digest: Buffer;
  readonly #now: () => number;
  readonly #expiresMs: Map<string, number> = new Map();
  readonly #tries: Map<string, Bucket> = new Map();
  readonly #triesOfAll: Bucket;

  constructor(token: string, now: () => number = Date.now) {
    this.#digest = digestOf(token);
    this.#now = now;
    this.#triesOfAll = { left: TRIES_OF_ALL, atMs: now() };
  }

  /** Whether it is the token; the answer takes the same time for every wrong one. */
  isToken(token: string): boolean {
    return timingSafeEqual(digestOf(token), this.#digest);
  }

  /**
   * Begins a session.
   * @returns its secret, or undefined when the token is wrong
   * @throws ApiError 429 after too many wrong ones
   */
  login(token: string, address: string): string | undefined {
    this.checkTries(address);
    if (!this.isToken(token)) {
      this.countWrong(address);
      return undefined;
    }
    const session = randomBytes(32).toString('base64url');
    this.#expiresMs.set(session, this.#now() + SESSION_SECONDS * 1000);
    const oldest = this.#expiresMs.size > MAX_SESSIONS ? this.#expiresMs.keys().next().value : undefined;
    if (oldest !== undefined) this.#expiresMs.delete(oldest);
    return session;
  }

  /** Whether a session holds; it is prolonged. */
  use(session: string): boolean {
    const expires = this.#expiresMs.get(session);
    this.#expiresMs.delete(session);
    if (expires === undefined || expires < this.#now()) return false;
    this.#expiresMs.set(session, this.#now() + SESSION_SECONDS * 1000);
    return true;
  }

  /** Ends a session. */
  logout(session: string): void {
    this.#expiresMs.delete(session);
  }

  /** @throws ApiError 429 when this address, or all together, sent too many wrong tokens */
  checkTries(address: string): void {
    const own = this.#bucket(address);
    refill(this.#triesOfAll, TRIES_OF_ALL, this.#now());
    if (own.left >= 1 && this.#triesOfAll.left >= 1) return;
    throw new ApiError(429, 'too-many', 'too many wrong tokens', { retryAfter: Math.ceil(REFILL_MS / 1000) });
  }

  /** Counts a wrong token. */
  countWrong(address: string): void {
    this.#bucket(address).left -= 1;
    this.#triesOfAll.left -= 1;
  }

  #bucket(address: string): Bucket {
    const bucket = this.#tries.get(address) ?? { left: TRIES, atMs: this.#now() };
    refill(bucket, TRIES, this.#now());
    this.#tries.delete(address);
    this.#tries.set(address, bucket);
    const oldest = this.#tries.size > MAX_ADDRESSES ? this.#tries.keys().next().value : undefined;
    if (oldest !== undefined) this.#tries.delete(oldest);
    return bucket;
  }
}

/** The session that a `Cookie` header names. */
export function sessionOfCookie(header: string | null): string | undefined {
  for (const part of header?.split(';') ?? []) {
    const [name, value] = part.trim().split('=', 2);
    if (name === COOKIE) return value;
  }
  return undefined;
}

/** The `Set-Cookie` header for a session; without one, it removes the cookie. */
export function cookieHeader(session?: string): string {
  return `${COOKIE}=${session ?? ''}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${session === undefined ? 0 : SESSION_SECONDS}`;
}

function refill(bucket: Bucket, most: number, nowMs: number): void {
  bucket.left = Math.min(most, bucket.left + Math.max(0, nowMs - bucket.atMs) / REFILL_MS);
  bucket.atMs = nowMs;
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
