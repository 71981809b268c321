import type { ComponentChildren, JSX } from 'preact';

/** Draws the Markdown of explanations: paragraphs, lists, code, bold and emphasis. Code that names a cause links to it. */
export function Markdown({
  text,
  causes,
}: {
  readonly text: string;
  readonly causes: ReadonlySet<string>;
}): JSX.Element {
  const blocks = text.trim().split(/\n{2,}/);
  return (
    <>
      {blocks.map((block, index) => (
        <Block key={index} lines={block.split('\n')} causes={causes} />
      ))}
    </>
  );
}

function Block({
  lines,
  causes,
}: {
  readonly lines: readonly string[];
  readonly causes: ReadonlySet<string>;
}): JSX.Element {
  const first = lines.findIndex((line) => line.startsWith('- '));
  if (first < 0) return <p>{inline(lines.join(' '), causes)}</p>;
  const items: string[] = [];
  for (const line of lines.slice(first)) {
    if (line.startsWith('- ')) items.push(line.slice(2));
    else items.push(`${items.pop() ?? ''} ${line.trim()}`);
  }
  return (
    <>
      {first > 0 && <p>{inline(lines.slice(0, first).join(' '), causes)}</p>}
      <ul>
        {items.map((item) => (
          <li key={item}>{inline(item, causes)}</li>
        ))}
      </ul>
    </>
  );
}

const MARKS = /(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*)/;

function inline(text: string, causes: ReadonlySet<string>): ComponentChildren[] {
  return text.split(MARKS).map((part) => {
    if (part.startsWith('`')) {
      const word = part.slice(1, -1);
      const code = <code>{word}</code>;
      return causes.has(word) ? <a href={`/causes/${word}`}>{code}</a> : code;
    }
    if (part.startsWith('**')) return <b>{part.slice(2, -2)}</b>;
    if (part.length > 2 && part.startsWith('*')) return <em>{part.slice(1, -1)}</em>;
    return part;
  });
}
