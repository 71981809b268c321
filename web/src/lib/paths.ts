/** Where to go after the login: never to another site. */
export function pathWithin(next: string | null, origin: string): string {
  if (next === null || !/^\/(?![/\\])/.test(next)) return '/';
  const url = new URL(next, origin);
  return url.origin === origin ? url.pathname + url.search : '/';
}
