import type { IncidentService } from '../../model/incident.ts';
import { formatCount } from '../../model/text.ts';
import type { Failure } from './failure-desk.ts';
import type { Flood } from './flood-check.ts';
import type { IncidentBook } from './incident-book.ts';
import { isSameService } from './incident-keys.ts';
import type { NamespaceWatch } from './namespace-watch.ts';
import type { OpenIncident } from './open-incident.ts';
import { wallNs } from './wall-clock.ts';

/** Keeps what is no failure of this host, a flood or a scan, as one incident each, however much of it there is. */
export class NoiseDesk {
  private readonly book: IncidentBook;

  constructor(book: IncidentBook) {
    this.book = book;
  }

  /** Counts what a flood has sent. */
  onFlood(namespace: NamespaceWatch, { port, attempts, rate }: Flood): void {
    const mark = `flood ${port ?? ''} ${namespace.spec}`;
    const service: IncidentService = {
      direction: 'inbound',
      namespace: namespace.spec,
      ...(port === undefined ? {} : { port }),
    };
    const sentence = `A flood of SYNs${port === undefined ? '' : ` at port ${port}`}: about ${formatCount(Math.round(rate))} a second, of which nearly none becomes a connection.`;
    const noise = this.noise(mark, service, sentence, { id: 'syn-flood', title: 'A flood of SYNs' });
    if (noise === undefined) return;
    const isNew = noise.attempts === 0;
    noise.attempts += attempts;
    noise.lastNs = wallNs();
    noise.isDirty = true;
    this.book.changed(isNew);
  }

  /** Counts an attempt of a scan; what its client did before it was known as one is no failure either. */
  onScan(failure: Failure, isNew: boolean): void {
    const { namespace, handshake, weight } = failure;
    const mark = `scan ${namespace.spec}`;
    const sentence = `A scan of ports: ${handshake.client.address} and others like it try port after port.`;
    const service: IncidentService = { direction: 'inbound', namespace: namespace.spec };
    const noise = this.noise(mark, service, sentence, { id: 'port-scan', title: 'A scan of ports' });
    if (noise === undefined) return;
    const isFirst = noise.attempts === 0;
    noise.count(handshake.client.address, handshake.startedAtNs, weight);
    this.book.changed(isFirst);
    if (!isNew) return;
    for (const open of this.book.open) {
      const isItsOwn =
        open.kind === 'failure' && open.networks.clients === 1 && open.networks.hasClient(handshake.client.address);
      if (isItsOwn && open.service.direction === 'inbound') {
        this.book.close(open, `it was part of the scan in incident ${noise.id}`);
      }
    }
  }

  private noise(
    mark: string,
    service: IncidentService,
    sentence: string,
    cause: { readonly id: string; readonly title: string },
  ): OpenIncident | undefined {
    const known = this.book.open.find((open) => open.kind === 'noise' && open.mark === mark);
    if (known !== undefined) return known;
    const resumed = this.book.open.find(
      (open) => open.kind === 'noise' && open.cause?.id === cause.id && isSameService(open.service, service),
    );
    if (resumed !== undefined) return resumed;
    return this.book.begin({
      kind: 'noise',
      service,
      cause: { ...cause, status: 'likely' },
      sentence,
      firstNs: wallNs(),
      changes: [],
      mark,
    });
  }
}
