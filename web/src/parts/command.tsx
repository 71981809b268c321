import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';

/** Commands to paste, with a button that copies them. */
export function Commands({ lines }: { readonly lines: readonly string[] }): JSX.Element | null {
  const [copied, setCopied] = useState<'yes' | 'no'>();
  useEffect(() => {
    if (copied === undefined) return;
    const timer = setTimeout(() => setCopied(undefined), 2000);
    return () => clearTimeout(timer);
  }, [copied]);
  if (lines.length === 0) return null;
  const text = lines.join('\n');
  const copy = (): void => {
    // Browsers offer the clipboard only on loopback and over https.
    if (navigator.clipboard === undefined) setCopied('no');
    else
      navigator.clipboard.writeText(text).then(
        () => setCopied('yes'),
        () => setCopied('no'),
      );
  };
  return (
    <div class="commands">
      <pre>
        <code>{text}</code>
      </pre>
      <button type="button" class="quiet" onClick={copy}>
        {copied === 'yes' ? 'Copied' : copied === 'no' ? 'Select it by hand' : 'Copy'}
      </button>
    </div>
  );
}
