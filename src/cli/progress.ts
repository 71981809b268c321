import process from 'node:process';

/** Shows on standard error how far a long reading is. */
export interface Progress {
  update(bytesRead: number, totalBytes: number | undefined): void;
  /** Removes what is shown. */
  end(): void;
}

/** What takes no longer shows nothing. */
const QUIET_MS = 1000;
/** On a terminal the line is drawn again at these intervals. */
const REDRAW_MS = 100;
/** Where standard error is a file or a pipe, one line is added at these intervals. */
const LINE_MS = 10_000;

/** Starts the progress of one reading; `label` names what is read. */
export function startProgress(label: string): Progress {
  const startedMs = performance.now();
  const { stderr } = process;
  let shownMs = startedMs + QUIET_MS - REDRAW_MS;
  let drawn = false;
  return {
    update(bytesRead, totalBytes) {
      const nowMs = performance.now();
      if (nowMs - startedMs < QUIET_MS || nowMs - shownMs < (stderr.isTTY ? REDRAW_MS : LINE_MS)) return;
      shownMs = nowMs;
      const text = progressText(label, bytesRead, totalBytes, (nowMs - startedMs) / 1000);
      stderr.write(stderr.isTTY ? `\r\x1b[K${text.slice(0, Math.max(20, (stderr.columns || 80) - 1))}` : `${text}\n`);
      drawn = stderr.isTTY;
    },
    end() {
      if (drawn) stderr.write('\r\x1b[K');
      drawn = false;
    },
  };
}

/** One line: share or amount, rate, and the time still needed where the total is known. */
export function progressText(
  label: string,
  bytesRead: number,
  totalBytes: number | undefined,
  elapsedSeconds: number,
): string {
  const rate = bytesRead / Math.max(elapsedSeconds, 0.001);
  const speed = `${megabytes(rate)}/s`;
  if (totalBytes === undefined || totalBytes === 0) return `${label}: ${megabytes(bytesRead)} read, ${speed}`;
  const percent = Math.min(100, Math.floor((bytesRead / totalBytes) * 100));
  if (bytesRead === 0) return `${label}: 0 % of ${megabytes(totalBytes)}, ${speed}`;
  const leftSeconds = Math.ceil(Math.max(0, totalBytes - bytesRead) / Math.max(rate, 1));
  const left = leftSeconds < 90 ? `${leftSeconds} s` : `${Math.ceil(leftSeconds / 60)} min`;
  return `${label}: ${percent} % of ${megabytes(totalBytes)}, ${speed}, ${left} left`;
}

function megabytes(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(bytes < 10e6 ? 1 : 0)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
