/**
 * What never goes out as it came in: control characters (C0, DEL, C1), format characters (bidirectional overrides,
 * zero-width characters, soft hyphens, tags), line and paragraph separators, invisible fillers and lone surrogates.
 */
export const UNSAFE_CHARACTERS: RegExp =
  /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]|\u034f|\u115f|\u1160|\u17b4|\u17b5|\u3164|\uffa0/gu;

/** Whether a text holds a character that could act on a terminal, or hide. */
export function isUnsafe(text: string): boolean {
  UNSAFE_CHARACTERS.lastIndex = 0;
  return UNSAFE_CHARACTERS.test(text);
}
