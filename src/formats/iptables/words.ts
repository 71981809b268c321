/** One argument; a quoted one is never an option. */
export interface Word {
  readonly text: string;
  readonly quoted: boolean;
}

/** Splits a line of iptables-save into arguments: double quotes, in which a backslash keeps the next character. */
export function splitArguments(line: string): readonly Word[] {
  const words: Word[] = [];
  let index = 0;
  while (index < line.length) {
    if (line[index] === ' ' || line[index] === '\t') {
      index++;
      continue;
    }
    let text = '';
    let quoted = false;
    let inside = false;
    for (; index < line.length; index++) {
      const character = line[index]!;
      if (inside && character === '\\' && index + 1 < line.length) text += line[++index];
      else if (character === '"') {
        inside = !inside;
        quoted = true;
      } else if (!inside && (character === ' ' || character === '\t')) break;
      else text += character;
    }
    words.push({ text, quoted });
  }
  return words;
}
