/** Reads what this browser remembers; private windows may refuse. */
export function recall(name: string): string | undefined {
  try {
    return localStorage.getItem(`synscope-${name}`) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Remembers something in this browser, or forgets it. */
export function remember(name: string, value: string | undefined): void {
  try {
    if (value === undefined) localStorage.removeItem(`synscope-${name}`);
    else localStorage.setItem(`synscope-${name}`, value);
  } catch {
    // Then it holds until the page is closed.
  }
}
