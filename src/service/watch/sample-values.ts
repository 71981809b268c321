import type { Handshake } from '../../model/handshake.ts';
import { formatTimestamp } from '../../report/format.ts';
import { handshakeValue, type JsonValue } from '../../report/json-values.ts';

interface SampleHandshake {
  readonly client?: { readonly address?: string; readonly port?: number };
  readonly startedAt?: string;
  readonly findings?: JsonValue;
}

/** Whether a sample of an incident (a diagnosis in the shape of `--json`) is of that attempt. */
export function isSampleOf({ client, startedAtNs }: Handshake): (sample: unknown) => boolean {
  const startedAt = formatTimestamp(startedAtNs);
  return (sample) => {
    const handshake = (sample as { handshake?: SampleHandshake } | null)?.handshake;
    return (
      handshake?.startedAt === startedAt &&
      handshake.client?.address === client.address &&
      handshake.client.port === client.port
    );
  };
}

/** Puts all packets of an attempt, which came after it was judged, into its sample. */
export function completed(handshake: Handshake): (sample: unknown) => unknown {
  return (sample) => {
    const before = sample as { readonly handshake: SampleHandshake };
    const value = handshakeValue(handshake) as Readonly<Record<string, JsonValue>>;
    return { ...before, handshake: { ...value, findings: before.handshake.findings } };
  };
}
