/** Parses the names of the fields of an event from its `format` file: what a filter may ask for, beside `common_*`. */
export function parseEventFields(text: string): ReadonlySet<string> {
  const names = [...text.matchAll(/^\tfield:[^;]*?(\w+)(?:\[[^\]]*\])?;/gm)].map(([, name = '']) => name);
  return new Set(names.filter((name) => !name.startsWith('common_')));
}

/** Parses the numbers that an event prints as names, from its `format` file: those of drop reasons differ in every release. */
export function parseEventSymbols(text: string): ReadonlyMap<string, number> {
  return new Map(
    [...text.matchAll(/\{ (\d{1,9}), "(\w+)" \}/g)].map(([, number, name = '']) => [name, Number(number)]),
  );
}
