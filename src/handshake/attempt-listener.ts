import type { TallyOptions } from './tally.ts';
import type { HandshakeTracker, TrackerOptions } from './tracker.ts';

/** Who is told of the attempts of a capture. Times of the tracker, which are floats, count from `baseNs`. */
export interface AttemptListener {
  /** What is counted of attempts as they end. */
  readonly tally?: TallyOptions | undefined;
  /** Gets an attempt that is over. */
  readonly onClose?: (tracker: HandshakeTracker, row: number, baseNs: bigint) => void;
  /**
   * Whether an attempt that is over is to be counted; each is unless given.
   * @param firstNs time of the first packet of the capture.
   */
  readonly passes?: ((tracker: HandshakeTracker, row: number, baseNs: bigint, firstNs: bigint) => boolean) | undefined;
  /** Gets an attempt that was counted and is to be shown by itself, and the number of its server. */
  readonly onShow?: (tracker: HandshakeTracker, row: number, server: number, baseNs: bigint) => void;
}

/** What a listener needs to know of the capture, once an attempt is over. */
export interface ListenerContext {
  readonly tracker: HandshakeTracker;
  readonly baseNs: bigint;
  readonly firstNs: bigint;
}

/** The options of a tracker that tells a listener. */
export function listenerOptions(
  listener: AttemptListener,
  contextOf: () => ListenerContext,
): Pick<TrackerOptions, 'onClose' | 'onShow' | 'passes' | 'tally'> {
  const onClose = (row: number): void => {
    const { tracker, baseNs } = contextOf();
    listener.onClose?.(tracker, row, baseNs);
  };
  const passes = (row: number): boolean => {
    const { tracker, baseNs, firstNs } = contextOf();
    return listener.passes?.(tracker, row, baseNs, firstNs) ?? true;
  };
  const onShow = (row: number, server: number): void => {
    const { tracker, baseNs } = contextOf();
    listener.onShow?.(tracker, row, server, baseNs);
  };
  return {
    tally: listener.tally,
    onShow,
    ...(listener.onClose === undefined ? {} : { onClose }),
    ...(listener.passes === undefined ? {} : { passes }),
  };
}
