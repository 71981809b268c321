/** Where on the path an attempt died. */
export type PathLocation =
  | 'lost-before-server'
  | 'server-silent'
  | 'answer-lost'
  | 'final-ack-lost'
  | 'refused-by-server'
  | 'refused-by-middlebox'
  | 'icmp-from-router'
  | 'icmp-from-server'
  | 'client-rejected-answer'
  | 'late'
  | 'established'
  | 'unmatched';

/** Every location, in the order in which reports list them. */
export const PATH_LOCATIONS: readonly PathLocation[] = [
  'lost-before-server',
  'server-silent',
  'answer-lost',
  'final-ack-lost',
  'refused-by-middlebox',
  'refused-by-server',
  'icmp-from-router',
  'icmp-from-server',
  'client-rejected-answer',
  'late',
  'unmatched',
  'established',
];

/** A packet of one of the compared captures. */
export interface FrameReference {
  /** Name of the capture as the user gave it. */
  readonly capture: string;
  readonly frame: number;
}

/** Where an attempt died, with the packets that show it. */
export interface PathVerdict {
  readonly location: PathLocation;
  /** One sentence with frame numbers from every capture. */
  readonly sentence: string;
  readonly frames: readonly FrameReference[];
  readonly confidence: 'certain' | 'likely' | 'guess';
  /** The two neighbouring capture points between which it died, when there are several. */
  readonly between?: readonly [string, string];
  /** How the attempt was recognised in the other capture, for example `same ISN; source address translated`. */
  readonly match?: string;
}
