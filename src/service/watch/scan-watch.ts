/** Clients that are watched for scanning at once; the one that was quiet longest goes first. */
const MAX_CLIENTS = 4096;
const WINDOW_MS = 60_000;
/** Who scanned is taken for a scanner for so long after the last probe. */
const MEMORY_MS = 600_000;

interface Prober {
  ports: Set<number>;
  sinceMs: number;
  lastMs: number;
  isScanner: boolean;
}

/** Finds clients that try many ports without success, in bounded memory. */
export class ScanWatch {
  private readonly clients: Map<string, Prober> = new Map();

  /**
   * Notes a failed attempt.
   * @param most a client that fails on so many ports within a minute scans.
   * @returns whether the client is a scanner, and whether that is new.
   */
  note(client: string, port: number, nowMs: number, most: number): 'no' | 'new' | 'known' {
    let prober = this.clients.get(client);
    if (prober === undefined || nowMs - prober.lastMs > (prober.isScanner ? MEMORY_MS : WINDOW_MS)) {
      prober = { ports: new Set(), sinceMs: nowMs, lastMs: nowMs, isScanner: false };
    }
    this.clients.delete(client);
    this.clients.set(client, prober);
    if (this.clients.size > MAX_CLIENTS) {
      const [oldest] = this.clients.keys();
      if (oldest !== undefined) this.clients.delete(oldest);
    }
    prober.lastMs = nowMs;
    if (prober.isScanner) return 'known';
    if (nowMs - prober.sinceMs > WINDOW_MS) {
      prober.ports = new Set();
      prober.sinceMs = nowMs;
    }
    prober.ports.add(port);
    if (prober.ports.size < most) return 'no';
    prober.isScanner = true;
    prober.ports = new Set();
    return 'new';
  }

  isScanner(client: string): boolean {
    return this.clients.get(client)?.isScanner === true;
  }
}
