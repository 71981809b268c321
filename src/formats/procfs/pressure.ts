/** Parses the share of time in which some task was stalled, over ten seconds, in per cent, from /proc/pressure/* (PSI). */
export function parseSomePressure(text: string): number | undefined {
  const average = /^some avg10=(\d+(?:\.\d+)?)\b/m.exec(text)?.[1];
  return average === undefined ? undefined : Number(average);
}

/** Parses the seconds since boot from /proc/uptime. */
export function parseUptime(text: string): number | undefined {
  const seconds = /^(\d+(?:\.\d+)?)\b/.exec(text.trim())?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}
