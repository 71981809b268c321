/** A pipeline of commands; each gets the value of the one before as its last argument. */
export type Pipeline = readonly Command[];
/** A function with its arguments, or one value alone. */
export type Command = readonly Term[];
/** One word of a command. */
export type Term =
  | { readonly kind: 'literal'; readonly value: string | number | boolean }
  /** `.a.b`; `$` begins at the root. */
  | { readonly kind: 'field'; readonly fromRoot: boolean; readonly path: readonly string[] }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline };

/** A part of a template. */
export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'output'; readonly pipeline: Pipeline }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipeline: Pipeline;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | { readonly kind: 'define'; readonly name: string; readonly body: readonly Node[] };

/**
 * Parses the part of Go's text/template that the chart keeps to: no variables, no comments, `if`, `with`, `range`, `define`.
 * @throws Error for anything else.
 */
export function parseTemplate(source: string): readonly Node[] {
  const pieces = split(source);
  let at = 0;
  const parseNodes = (...ends: readonly RegExp[]): readonly Node[] => {
    const nodes: Node[] = [];
    for (; at < pieces.length; at++) {
      const piece = pieces[at]!;
      if (!piece.isAction) nodes.push({ kind: 'text', text: piece.text });
      else if (ends.some((end) => end.test(piece.text))) return nodes;
      else nodes.push(parseAction(piece.text));
    }
    if (ends.length > 0) throw new Error('a block does not end');
    return nodes;
  };
  const parseAction = (text: string): Node => {
    const [, word = '', rest = ''] = /^(if|with|range|define|else|end)\b\s*(.*)$/s.exec(text) ?? [];
    if (word === '') return { kind: 'output', pipeline: parsePipeline(text) };
    if (word === 'else' || word === 'end') throw new Error(`"${text}" belongs to nothing`);
    at++;
    if (word === 'define') return { kind: 'define', name: JSON.parse(rest) as string, body: parseNodes(/^end$/) };
    return parseBlock(word as 'if', rest);
  };
  const parseBlock = (kind: 'if' | 'with' | 'range', condition: string): Node => {
    const pipeline = parsePipeline(condition);
    const body = parseNodes(/^end$/, /^else\b/);
    const [, chained] = /^else\s+if\s+(.*)$/s.exec(pieces[at]!.text) ?? [];
    if (pieces[at]!.text === 'end') return { kind, pipeline, body, otherwise: [] };
    at++;
    if (chained !== undefined) return { kind, pipeline, body, otherwise: [parseBlock('if', chained)] };
    return { kind, pipeline, body, otherwise: parseNodes(/^end$/) };
  };
  return parseNodes();
}

interface Piece {
  readonly isAction: boolean;
  readonly text: string;
}

/** Cuts a template into text and actions; `{{-` and `-}}` take the white space beside them. */
function split(source: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  let trims = false;
  const addText = (to: number, trimsEnd: boolean): void => {
    let text = source.slice(from, to);
    if (trims) text = text.trimStart();
    if (trimsEnd) text = text.trimEnd();
    if (text !== '') pieces.push({ isAction: false, text });
  };
  for (const match of source.matchAll(/\{\{(-(?=\s))?((?:"(?:[^"\\]|\\.)*"|[^"}]|\}(?!\}))*?)(\s-)?\}\}/g)) {
    addText(match.index, match[1] !== undefined);
    pieces.push({ isAction: true, text: match[2]!.trim() });
    from = match.index + match[0].length;
    trims = match[3] !== undefined;
  }
  addText(source.length, false);
  return pieces;
}

const TOKEN = /\s*("(?:[^"\\]|\\.)*"|\d+|[()|]|\$?(?:\.[A-Za-z_]\w*)+|\$|\.|[A-Za-z_]\w*)/y;

function parsePipeline(text: string): Pipeline {
  const tokens: string[] = [];
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < text.trimEnd().length; ) {
    const match = TOKEN.exec(text);
    if (match === null) throw new Error(`"${text}" is not understood`);
    tokens.push(match[1]!);
  }
  let at = 0;
  const parseCommands = (): Pipeline => {
    const commands: Term[][] = [[]];
    for (; at < tokens.length && tokens[at] !== ')'; at++) {
      if (tokens[at] === '|') commands.push([]);
      else commands.at(-1)!.push(parseTerm(tokens[at]!));
    }
    if (commands.some((command) => command.length === 0)) throw new Error(`"${text}" lacks a command`);
    return commands;
  };
  const parseTerm = (token: string): Term => {
    if (token === '(') {
      at++;
      return { kind: 'pipeline', pipeline: parseCommands() };
    }
    if (token.startsWith('"')) return { kind: 'literal', value: JSON.parse(token) as string };
    if (/^\d+$/.test(token)) return { kind: 'literal', value: Number(token) };
    if (token === 'true' || token === 'false') return { kind: 'literal', value: token === 'true' };
    if (/^[$.]/.test(token)) {
      const path = token
        .replace(/^\$/, '')
        .split('.')
        .filter((name) => name !== '');
      return { kind: 'field', fromRoot: token.startsWith('$'), path };
    }
    return { kind: 'function', name: token };
  };
  return parseCommands();
}
