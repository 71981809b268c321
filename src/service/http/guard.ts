import { isIP } from 'node:net';
import { ApiError } from './api-error.ts';

/** What the page may do: load its own files, and nothing else. */
export const CONTENT_SECURITY_POLICY: string = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** Headers of every answer. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // Not "no-referrer": the form of the login would come from the origin "null".
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};

/** Header that no form and no foreign page can send without being asked first (CORS), which nobody answers. */
const REQUEST_HEADER = 'x-synscope';

/**
 * Refuses requests for names that are not this watch: a page of `evil.example`, whose name suddenly leads here (DNS rebinding), still names
 * itself in `Host`. An IP address cannot be rebound.
 * @throws ApiError 421
 */
export function checkHost(host: string | undefined, names: readonly string[]): void {
  const name = hostName(host ?? '');
  if (name !== undefined && (isIP(name) !== 0 || name === 'localhost' || names.includes(name))) return;
  throw new ApiError(421, 'unknown-host', `this watch is not called "${(host ?? '').slice(0, 100)}"`, {
    hint: 'ask by address or localhost, or configure the name (page.names)',
  });
}

/**
 * Refuses requests that another site makes a browser send.
 * @throws ApiError 403
 */
export function checkSite(headers: Headers): void {
  const site = headers.get('sec-fetch-site');
  if (site !== null && site !== 'same-origin' && site !== 'none') throw crossSite('it comes from another site');
  const origin = headers.get('origin');
  if (origin === null) return;
  const host = headers.get('host')?.toLowerCase();
  if (!URL.canParse(origin) || new URL(origin).host !== host) throw crossSite('it comes from another site');
}

/**
 * Refuses requests that change something unless they carry {@link REQUEST_HEADER}.
 * @throws ApiError 403
 */
export function checkRequestHeader(headers: Headers): void {
  if (headers.get(REQUEST_HEADER) !== '1') throw crossSite('the header "X-Synscope: 1" is missing');
}

function crossSite(why: string): ApiError {
  return new ApiError(403, 'cross-site', `the request was refused: ${why}`);
}

/** The name in a `Host` header, without port, brackets and the dot at its end. */
function hostName(host: string): string | undefined {
  const [, v6, name] = /^(?:\[([\da-f:.]+)\]|([a-z\d._-]+?)\.?)(?::\d{1,5})?$/i.exec(host) ?? [];
  return (v6 ?? name)?.toLowerCase();
}
