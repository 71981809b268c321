/** One event of the kernel's tracepoints that belongs to the attempt, in the order in which they happened. */
export type KernelEvent =
  | {
      readonly kind: 'route-lookup';
      readonly table: number;
      /** Negative errno as the tracepoint prints it, 0 when a route was found. */
      readonly err: number;
      /** `reply`: the tuple of the SYN-ACK; `source-check`: the reverse path filter; `output`: the tuple of the SYN. */
      readonly purpose: 'reply' | 'source-check' | 'output' | 'other';
      readonly device?: string;
      readonly cpu: number;
      readonly timeUs: number;
    }
  | {
      readonly kind: 'dropped';
      /** Name of the drop reason by the running kernel, for example `NETFILTER_DROP`. */
      readonly reason: string;
      /** Function, without the offset. */
      readonly location: string;
      /** Which packet, where it can be told. */
      readonly packet: 'syn' | 'syn-ack' | 'ack' | 'rst' | 'unknown';
      readonly cpu: number;
      readonly timeUs: number;
    }
  | {
      readonly kind: 'consumed';
      readonly location: string;
      readonly packet: 'syn' | 'unknown';
      readonly cpu: number;
      readonly timeUs: number;
    }
  | {
      readonly kind: 'reset-sent';
      readonly reason?: string;
      readonly sourcePort: number;
      readonly state?: string;
      readonly cpu: number;
      readonly timeUs: number;
    }
  | { readonly kind: 'reset-received'; readonly cpu: number; readonly timeUs: number }
  | { readonly kind: 'syn-ack-retransmitted'; readonly cpu: number; readonly timeUs: number }
  | {
      readonly kind: 'transmitted';
      readonly device: string;
      readonly packet: 'syn-ack' | 'arp' | 'neighbour-solicitation' | 'unknown';
      readonly cpu: number;
      readonly timeUs: number;
    }
  | { readonly kind: 'bad-checksum'; readonly cpu: number; readonly timeUs: number }
  | {
      readonly kind: 'authentication-refused';
      /** The tracepoint, without `tcp_`: `hash_md5_required`, `hash_md5_mismatch`, `ao_handshake_failure`, ... */
      readonly what: string;
      readonly cpu: number;
      readonly timeUs: number;
    }
  | {
      /** Of the connection, or of the listener (`LISTEN` to `CLOSE`). */
      readonly kind: 'state-changed';
      /** As the kernel names them: `LISTEN`, `SYN_RECV`, `CLOSE`, ... */
      readonly from: string;
      readonly to: string;
      readonly cpu: number;
      readonly timeUs: number;
    }
  | {
      readonly kind: 'neighbour-failed';
      readonly address: string;
      readonly device: string;
      readonly cpu: number;
      readonly timeUs: number;
    };

/** What the tracepoints of the kernel said during the watch (tracefs). */
export interface KernelTrace {
  /** Events of this attempt. */
  readonly events: readonly KernelEvent[];
  /** Drops of the watch by reason and function, whatever they belong to: most cannot be tied to a packet without BPF. */
  readonly drops: readonly { readonly reason: string; readonly location: string; readonly count: number }[];
  /** Events were lost because they came too fast. */
  readonly overrun: boolean;
}
