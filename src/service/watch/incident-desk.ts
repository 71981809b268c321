import type { Diagnosis, NotSeen } from '../../model/diagnosis.ts';
import { formatEndpoint } from '../../model/flow.ts';
import type { IncidentService } from '../../model/incident.ts';
import { formatQuantity } from '../../model/text.ts';
import type { WatchConfig } from './config-types.ts';
import type { ExplainedFailure } from './diagnose-failure.ts';
import { classOf, type Failure, type FailureDesk, type FailureHandler, serviceOf } from './failure-desk.ts';
import type { Flood } from './flood-check.ts';
import type { IncidentBook } from './incident-book.ts';
import { attemptKey, changesBefore, incidentService, isSameService, keyOf } from './incident-keys.ts';
import { investigate } from './investigate.ts';
import type { Investigations } from './investigations.ts';
import type { NamespaceWatch } from './namespace-watch.ts';
import { NoiseDesk } from './noise-desk.ts';
import { causeOf, type OpenIncident } from './open-incident.ts';
import type { IncidentRepairer } from './repair-hook.ts';
import { completed, isSampleOf } from './sample-values.ts';
import type { SynFate } from './view.ts';
import { wallNs } from './wall-clock.ts';

/** What an {@link IncidentDesk} works with. */
export interface IncidentDeskParts {
  readonly config: () => WatchConfig;
  readonly book: IncidentBook;
  readonly desk: () => FailureDesk;
  readonly investigations: Investigations;
  /** Whether somebody follows the fates, and has not been told of many in this second. */
  readonly wantsFate: () => boolean;
  readonly onFate: (fate: SynFate) => void;
  readonly onNotSeen: (missing: readonly NotSeen[]) => void;
  /** Name of the process behind a port, where known. */
  readonly processOf: (service: IncidentService) => string | undefined;
  readonly repairer?: IncidentRepairer | undefined;
  readonly onBug: (error: unknown) => void;
}

/** An open incident is not looked at again more often, whatever happens. */
const LOOK_AGAIN_MS = 15_000;
/** Failures that came while their service was looked at. */
const MAX_PENDING = 500;

/** Turns failures into incidents: like ones are one, each is explained, and ends by itself. */
export class IncidentDesk implements FailureHandler {
  private readonly parts: IncidentDeskParts;
  private readonly pending: Map<string, Failure[]> = new Map();
  private readonly early: Map<string, number> = new Map();
  private readonly repairs: Set<Promise<void>> = new Set();
  private readonly noise: NoiseDesk;

  constructor(parts: IncidentDeskParts) {
    this.parts = parts;
    this.noise = new NoiseDesk(parts.book);
  }

  onDoubt(failure: Failure): void {
    const key = keyOf(failure);
    if (this.find(failure) !== undefined || this.parts.investigations.isBusy(key)) return;
    failure.namespace.widen(failure.handshake.server.port);
    this.parts.investigations.add(key, () => this.look(failure, true));
  }

  onFailure(failure: Failure): void {
    const { namespace, handshake } = failure;
    const known = this.find(failure);
    if (known !== undefined) {
      this.count(known, failure);
      if (this.wantsAnotherLook(known, failure)) {
        this.parts.investigations.add(keyOf(failure), () => this.look(failure, false));
      }
      return;
    }
    const key = keyOf(failure);
    const waiting = this.pending.get(key) ?? [];
    if (waiting.length < MAX_PENDING) waiting.push(failure);
    this.pending.set(key, waiting);
    namespace.widen(handshake.server.port);
    if (waiting.length < this.parts.config().incidents.openAfter) return;
    const isPlanned = this.parts.investigations.add(key, () => this.look(failure, false));
    // Nobody will look: it is told without a cause.
    if (!isPlanned && !this.parts.investigations.isBusy(key)) this.openUnexplained(failure);
  }

  onFlood(namespace: NamespaceWatch, flood: Flood): void {
    this.noise.onFlood(namespace, flood);
  }

  onScan(failure: Failure, isNew: boolean): void {
    this.noise.onScan(failure, isNew);
    if (!isNew) return;
    // What it did until it was known.
    const { address } = failure.handshake.client;
    for (const [key, waiting] of this.pending) {
      const others = waiting.filter((one) => one.handshake.client.address !== address);
      if (others.length === 0) this.pending.delete(key);
      else this.pending.set(key, others);
    }
  }

  onAnswered(namespace: NamespaceWatch, direction: 'inbound' | 'outbound', row: number, weight: number): void {
    const port = namespace.attempts.serverPort(row);
    if (this.parts.wantsFate()) this.tellAnswered(namespace, direction, row);
    if (this.parts.book.open.length === 0) return;
    for (const open of this.parts.book.open) {
      const { service } = open;
      if (service.port !== port || service.direction !== direction || service.namespace !== namespace.spec) continue;
      if (service.address !== undefined && service.address !== namespace.attempts.serverAddress(row)) continue;
      open.answeredSince += weight;
    }
  }

  onEnded(namespace: NamespaceWatch, direction: 'inbound' | 'outbound', row: number): void {
    const port = namespace.attempts.serverPort(row);
    const open = this.parts.book.open.filter(
      ({ service, kind }) =>
        kind === 'failure' &&
        service.port === port &&
        service.direction === direction &&
        service.namespace === namespace.spec,
    );
    if (open.length === 0) return;
    const handshake = namespace.attempts.handshakeAt(row);
    for (const one of open) one.completeSample(isSampleOf(handshake), completed(handshake));
    this.parts.book.changed();
  }

  /** Closes what is over. */
  tick(): void {
    const { book, config } = this.parts;
    const { closeAfterMs, quietAfterMs } = config().incidents;
    const now = wallNs();
    for (const open of book.open) {
      if (open.kind === 'warning' || open.repairing > 0) continue;
      const quietMs = Number((now - open.lastNs) / 1_000_000n);
      if (quietMs >= closeAfterMs && open.answeredSince > 0) {
        const times = formatQuantity(open.answeredSince, 'handshake');
        book.close(open, `nothing failed for ${minutes(quietMs)}, and ${times} of the service succeeded`);
      } else if (open.kind === 'noise' && quietMs >= closeAfterMs) book.close(open, `quiet for ${minutes(quietMs)}`);
      else if (quietMs >= quietAfterMs) book.close(open, `nothing failed for ${minutes(quietMs)}`);
      else continue;
      if (open.service.port !== undefined) this.narrow(open.service);
    }
  }

  private narrow(service: IncidentService): void {
    for (const namespace of this.namespacesOf(service)) if (service.port !== undefined) namespace.narrow(service.port);
  }

  /** Set by the watch, which knows them. */
  namespacesOf: (service: IncidentService) => readonly NamespaceWatch[] = () => [];

  /** The open incident that a failure belongs to: of the same service and class; of several the one with its client's network. */
  private find(failure: Failure): OpenIncident | undefined {
    const { direction, namespace, handshake } = failure;
    const { address, port } = handshake.server;
    const wanted = classOf(failure.state);
    const alike = this.parts.book.open.filter(
      ({ kind, service, outcomeClass }) =>
        kind === 'failure' &&
        service.direction === direction &&
        service.namespace === namespace.spec &&
        (service.port === undefined || service.port === port) &&
        (service.address === undefined || service.address === address) &&
        outcomeClass === wanted,
    );
    return alike.find(({ networks }) => networks.has(handshake.client.address)) ?? alike.at(-1);
  }

  private count(open: OpenIncident, failure: Failure): boolean {
    const { handshake, weight } = failure;
    const key = attemptKey(failure);
    // It was counted when the incident was opened, before it had failed for good.
    if (this.early.delete(key)) return false;
    const isNewNetwork = open.count(handshake.client.address, handshake.startedAtNs, weight);
    if (this.parts.wantsFate()) this.tellFate(failure, open);
    this.parts.book.changed();
    return isNewNetwork;
  }

  /** Whether the picture has changed since an incident was diagnosed. */
  private wantsAnotherLook(open: OpenIncident, { namespace }: Failure): boolean {
    const { rediagnoseAfterMs, samples } = this.parts.config().incidents;
    const elapsedMs = Date.now() - open.diagnosedMs;
    if (elapsedMs < LOOK_AGAIN_MS) return false;
    if (elapsedMs >= rediagnoseAfterMs) return true;
    const changedNs = namespace.network.changes.at(-1)?.atNs ?? 0n;
    if (Number(changedNs / 1_000_000n) > open.diagnosedMs) return true;
    return open.cause?.status !== 'confirmed' && open.diagnoses < samples;
  }

  /** Looks at a failure, and puts what was found on an incident. */
  private async look(failure: Failure, isDoubt: boolean): Promise<void> {
    const finding = await investigate(failure, this.parts.desk());
    if (finding.hasFailed) this.settle(finding.failure, finding.explained, isDoubt);
    else this.settleAnyway(finding.failure, finding.explained, isDoubt);
  }

  /** A doubt that came to nothing is dropped, unless an attempt failed meanwhile. */
  private settleAnyway(failure: Failure, explained: ExplainedFailure, isDoubt: boolean): void {
    const failed = isDoubt ? this.pending.get(keyOf(failure))?.[0] : failure;
    if (failed !== undefined) this.settle(failed, explained, false);
  }

  /** Puts a diagnosis on the incident of its cause; opens it when there is none. */
  private settle(failure: Failure, { diagnosis, notSeen }: ExplainedFailure, isDoubt: boolean): void {
    const { book, config } = this.parts;
    const { samples } = config().incidents;
    this.parts.onNotSeen(notSeen);
    const waiting = this.pending.get(keyOf(failure)) ?? [];
    this.pending.delete(keyOf(failure));
    let open = this.matching(failure, diagnosis);
    if (open === undefined) {
      open = this.begin(failure, diagnosis);
      if (open === undefined) return;
      const counted = waiting.some((one) => attemptKey(one) === attemptKey(failure)) ? waiting : [failure, ...waiting];
      for (const one of counted) this.count(open, one);
      if (isDoubt && waiting.length === 0) this.rememberEarly(failure);
    } else for (const one of waiting) this.count(open, one);
    open.addSample(diagnosis, samples);
    book.changed(true);
    this.repair(open, diagnosis, failure.namespace);
  }

  private rememberEarly(failure: Failure): void {
    this.early.set(attemptKey(failure), Date.now());
    if (this.early.size > 1000) {
      const [oldest] = this.early.keys();
      if (oldest !== undefined) this.early.delete(oldest);
    }
  }

  /** The open incident of the same cause; one without a cause takes any that is found later. */
  private matching(failure: Failure, diagnosis: Diagnosis): OpenIncident | undefined {
    const service = incidentService(failure, diagnosis);
    const wanted = classOf(failure.state);
    const alike = this.parts.book.open.filter(
      (open) => open.kind === 'failure' && open.outcomeClass === wanted && isSameService(open.service, service),
    );
    return (
      alike.find(({ cause }) => cause?.id === diagnosis.cause?.id) ??
      alike.find(({ cause }) => cause === null) ??
      (diagnosis.cause === null ? alike.at(-1) : undefined)
    );
  }

  private begin(failure: Failure, diagnosis: Diagnosis): OpenIncident | undefined {
    const { handshake, namespace } = failure;
    const service = incidentService(failure, diagnosis);
    const process = this.parts.processOf(service);
    return this.parts.book.begin({
      kind: 'failure',
      service: { ...service, ...(process === undefined ? {} : { process }) },
      cause: causeOf(diagnosis),
      sentence: diagnosis.sentence,
      outcome: handshake.outcome,
      outcomeClass: classOf(failure.state),
      firstNs: handshake.startedAtNs,
      changes: changesBefore(namespace, handshake.startedAtNs),
    });
  }

  private openUnexplained(failure: Failure): void {
    const { handshake } = failure;
    const waiting = this.pending.get(keyOf(failure)) ?? [failure];
    this.pending.delete(keyOf(failure));
    const open = this.parts.book.begin({
      kind: 'failure',
      service: serviceOf(failure),
      cause: null,
      sentence: `${formatEndpoint(handshake.server)} failed for ${handshake.client.address}; too much else fails at the moment to say why.`,
      outcome: handshake.outcome,
      outcomeClass: classOf(failure.state),
      firstNs: handshake.startedAtNs,
      changes: changesBefore(failure.namespace, handshake.startedAtNs),
    });
    if (open === undefined) return;
    for (const one of waiting) this.count(open, one);
    this.parts.book.changed(true);
  }

  /** Lets the policy decide; a repair takes as long as its verification. */
  private repair(open: OpenIncident, diagnosis: Diagnosis, namespace: NamespaceWatch): void {
    const { repairer, book, config, onBug } = this.parts;
    if (repairer === undefined) return;
    const incident = open.incident(config().incidents.networks);
    open.repairing++;
    const running = repairer.consider({ incident, diagnosis, host: namespace.access.host }).then((repairs) => {
      open.addRepairs(repairs);
      if (repairs.length > 0) book.changed(true);
    }, onBug);
    this.repairs.add(running);
    void running.finally(() => {
      open.repairing--;
      this.repairs.delete(running);
    });
  }

  /** Waits for the repairs that are being made: one that is left half-way would have to be undone by its timer. */
  async stop(): Promise<void> {
    await Promise.all(this.repairs);
  }

  private tellAnswered({ spec, attempts }: NamespaceWatch, direction: 'inbound' | 'outbound', row: number): void {
    const { client, server } = attempts.flowAt(row);
    this.parts.onFate({
      atNs: attempts.beganNs(row),
      service: {
        direction,
        namespace: spec,
        ...(direction === 'outbound' ? { address: server.address } : {}),
        port: server.port,
      },
      client: client.address,
      fate: 'answered',
    });
  }

  private tellFate({ state, handshake, ...failure }: Failure, open: OpenIncident): void {
    this.parts.onFate({
      atNs: handshake.startedAtNs,
      service: serviceOf({ state, handshake, ...failure }),
      client: handshake.client.address,
      fate: state === 'refused' ? 'refused' : 'failed',
      ...(open.cause === null ? {} : { causeId: open.cause.id }),
      incidentId: open.id,
    });
  }
}

function minutes(ms: number): string {
  return ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}
