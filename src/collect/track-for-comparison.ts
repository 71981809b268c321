import type { TrackedCapture } from '../handshake/compare/tracked-capture.ts';
import type { ReadCaptureOptions } from '../host/capture-input.ts';
import type { CaptureSummary } from '../model/capture.ts';
import { trackCapture } from './track-capture.ts';

/** One capture of a comparison, with all its attempts. Can be cloned to another thread, which then shares the table's memory. */
export interface ComparedInput {
  readonly summary: CaptureSummary;
  readonly capture: TrackedCapture;
}

/**
 * Reads a capture and keeps every attempt in it.
 * @param name short and unique among the captures of the comparison.
 * @throws InputError, ParseError as `readCapture` does.
 */
export async function trackForComparison(
  path: string,
  name: string,
  options: ReadCaptureOptions = {},
): Promise<ComparedInput> {
  const { summary, tracker, baseNs } = await trackCapture(path, { ...options, keep: true });
  const snapLengths = summary.interfaces.map(({ snapLength }) => snapLength).filter((bytes) => bytes > 0);
  const { firstNs = baseNs, lastNs = baseNs } = summary;
  const snapLength = snapLengths.length === 0 ? 0 : Math.min(...snapLengths);
  return {
    summary: { ...summary, name, path },
    capture: { name, path, table: tracker.table, baseNs, firstNs, lastNs, snapLength },
  };
}
