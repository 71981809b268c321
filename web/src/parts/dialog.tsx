import type { ComponentChildren, JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

/** A window over the page; the browser keeps the focus inside and closes it with Escape. */
export function Dialog({
  title,
  onClose,
  children,
  bare = false,
}: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  /** Without a visible heading. */
  readonly bare?: boolean;
}): JSX.Element {
  const box = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const before = document.activeElement;
    box.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it as well
    <dialog
      ref={box}
      class={bare ? 'bare' : ''}
      aria-label={title}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === box.current) box.current?.close();
      }}
    >
      <div class="dialog-body">
        {!bare && (
          <header>
            <h2>{title}</h2>
            <button type="button" class="quiet" onClick={() => box.current?.close()}>
              Close
            </button>
          </header>
        )}
        {children}
      </div>
    </dialog>
  );
}
