import { forHtml } from './escape.ts';

/** Text that is known to be safe HTML, because {@link html} made it. */
export class SafeHtml {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What can stand in a placeholder of {@link html}; strings are escaped. */
export type HtmlPart = SafeHtml | string | number | undefined | null | false | readonly HtmlPart[];

/** Template tag that escapes every placeholder but those that are HTML already. Attributes must be quoted. */
export function html(strings: TemplateStringsArray, ...parts: readonly HtmlPart[]): SafeHtml {
  let text = strings[0] ?? '';
  parts.forEach((part, index) => {
    text += partText(part) + (strings[index + 1] ?? '');
  });
  return new SafeHtml(text);
}

function partText(part: HtmlPart): string {
  if (part instanceof SafeHtml) return part.text;
  if (Array.isArray(part)) return part.map(partText).join('');
  if (part === undefined || part === null || part === false) return '';
  return forHtml(String(part));
}
