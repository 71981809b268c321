/** One element of a host's network state, and what was done to its copy. */
export interface ProofElement {
  /** For example `nft-rule`, `route`, `sysctl`, `neighbour`, `listener`; the list is in docs/prove.md. */
  readonly kind: string;
  /** The element by the name that its own tool gives it: `inet fw input handle 5`, `net.ipv4.conf.eth0.rp_filter`. */
  readonly element: string;
  /** `removed`, `added`, or the new value. */
  readonly change: string;
  /** What it says, where the name alone does not tell: the words of a rule. */
  readonly text?: string;
}

/** A repair that was tried on a copy of the host. */
export interface TriedRemedy {
  /** Of the remedy in the diagnosis. */
  readonly id: string;
  /** The SYN is answered after it. */
  readonly answers: boolean;
  /** Other flows that are answered otherwise than before, in words. */
  readonly alsoChanges: readonly string[];
  /** Other flows that were looked at. */
  readonly otherFlows: number;
  /** Commands that a copy cannot run, with why. */
  readonly untried: readonly string[];
}

/** What the copy of a host showed. */
export interface Proof {
  /** `acquitted`: this host answers that SYN, so the path or the client is next. */
  readonly outcome: 'proven' | 'acquitted' | 'not-reproduced';
  /** All of them needed together; empty unless proven. */
  readonly guilty: readonly ProofElement[];
  /** Other sets that make the answer come out, best first. */
  readonly alternatives: readonly (readonly ProofElement[])[];
  /** Who answers ARP and ND in the copy, what was left out, what was guessed. */
  readonly assumptions: readonly string[];
  /** What the copy does not have; of a drop that it does not reproduce these are the suspects. */
  readonly notCopied: readonly string[];
  /** SYNs sent to the copy. */
  readonly replays: number;
  readonly elapsedMs: number;
  /** Changes that were tried; all that are neither guilty nor among the alternatives make no difference. */
  readonly tried: number;
  /** Repairs of the diagnosis that were tried on copies of their own. */
  readonly remedies?: readonly TriedRemedy[];
}
