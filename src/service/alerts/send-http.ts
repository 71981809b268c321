import { createHmac } from 'node:crypto';

/** A request that an alert makes. */
export interface AlertRequest {
  readonly url: string;
  readonly method: 'POST' | 'PUT';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
}

/** An alert that could not be delivered. */
export class AlertError extends Error {
  override readonly name: string = 'AlertError';
  /** Whether it may work later: the other side is down, slow, or asks to wait. */
  readonly isTemporary: boolean;
  /** When to come back, if it says so. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, isTemporary: boolean, retryAfterMs?: number, options?: ErrorOptions) {
    super(message, options);
    this.isTemporary = isTemporary;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Makes a request; redirects are not followed, as they could lead anywhere. @throws AlertError */
export async function sendHttp({ url, method, headers, body, timeoutMs }: AlertRequest): Promise<void> {
  let response: Response;
  try {
    response = await fetch(url, { method, headers, body, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) });
  } catch (cause) {
    throw new AlertError(`no answer: ${reasonOf(cause)}`, true, undefined, { cause });
  }
  // What it says does not matter, and must not be kept waiting or in memory.
  await response.body?.cancel().catch(() => undefined);
  if (response.ok) return;
  const isTemporary = response.status >= 500 || response.status === 429 || response.status === 408;
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  const retryAfterMs = Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds, 600) * 1000 : undefined;
  throw new AlertError(`it answered ${response.status}`, isTemporary, retryAfterMs);
}

/** The header that proves who sent a body: HMAC-SHA-256 with a shared secret, over the time and the body. */
export function signatureHeaders(secret: string, body: string, nowMs: number): Readonly<Record<string, string>> {
  const time = String(Math.floor(nowMs / 1000));
  const signature = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex');
  return { 'x-synscope-timestamp': time, 'x-synscope-signature': `sha256=${signature}` };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'it took too long';
  const { cause } = error;
  return cause instanceof Error
    ? cause.message || ((cause as NodeJS.ErrnoException).code ?? cause.name)
    : error.message;
}
