/** The groups of words that can be explained. */
export type EntryKind =
  | 'cause'
  | 'outcome'
  | 'location'
  | 'stage'
  | 'finding'
  | 'errno'
  | 'counter'
  | 'drop-reason'
  | 'icmp'
  | 'term';

/** Every group, in the order in which a word that belongs to several is looked up, with its heading in lists. */
export const ENTRY_KINDS: Readonly<Record<EntryKind, string>> = {
  cause: 'Cause',
  outcome: 'Outcome of a handshake',
  location: 'Place on the path where an attempt died',
  stage: 'Step of the handshake',
  finding: 'Finding in a capture',
  errno: 'Error of connect()',
  counter: 'Kernel counter',
  'drop-reason': 'Drop reason of the kernel',
  icmp: 'ICMP error',
  term: 'Term',
};

/** How to tell: one sentence, and the command to paste where there is one. */
export interface Check {
  readonly statement: string;
  /**
   * Shell command; PORT, CLIENT, SERVER, DEV, GATEWAY and PID stand for the reader's own. At most 74 columns, so that it fits
   * a terminal of 80 with its indentation.
   */
  readonly command?: string;
}

/** What is known of one word. All texts are plain sentences. */
export interface Explanation {
  /** What it is, as a heading: a noun phrase or a short clause without a full stop. */
  readonly title: string;
  /** Other spellings under which it is found; prefixes such as `TcpExt` need not be listed. */
  readonly aliases?: readonly string[];
  /** One sentence. */
  readonly meaning: string;
  /** More paragraphs, plain text; a line that begins with `- ` is an item of a list. */
  readonly details?: readonly string[];
  /** What is easily taken for it, and what tells them apart. */
  readonly lookalikes?: readonly string[];
  /** What packets show it. */
  readonly wire?: string;
  /** What connect() returns, and when. */
  readonly application?: string;
  /** Of a counter or drop reason: which event in the kernel moves or reports it. */
  readonly moves?: string;
  /** Of a counter or drop reason: what one would expect to move it and does not, and other traps. */
  readonly traps?: readonly string[];
  /** Most likely first. */
  readonly causes?: readonly string[];
  readonly checks?: readonly Check[];
  /** Other words of the glossary; `kind:word` where the word alone would mean another entry. */
  readonly seeAlso?: readonly string[];
  /** RFC sections, and kernel functions with their files (Linux 6.18 unless a version is given). */
  readonly references?: readonly string[];
}

/** An explanation with the word that it explains. */
export interface GlossaryEntry extends Explanation {
  readonly kind: EntryKind;
  readonly word: string;
}
