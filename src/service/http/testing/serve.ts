import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryStore } from '../../history/memory-store.ts';
import { Metrics } from '../../metrics/metrics.ts';
import { type HttpService, startHttp } from '../server.ts';
import { FakeRepairer, FakeWatch } from './fake-watch.ts';

/** An answer. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect
  readonly json: any;
}

/** A request as a test makes it; headers as they are. */
export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly socketPath?: string;
}

/** A served watch with all its parts. */
export class Served {
  readonly watch: FakeWatch = new FakeWatch();
  readonly store: MemoryStore = new MemoryStore();
  readonly repairer: FakeRepairer = new FakeRepairer();
  readonly folder: string = mkdtempSync(join(tmpdir(), 'synscope-http-'));
  service!: HttpService;

  /** Serves; a folder for the page has two files. */
  async start(
    page: { readonly listen?: string; readonly token?: string; readonly names?: readonly string[] } = {},
    servesMetrics = true,
  ): Promise<void> {
    const dist = join(this.folder, 'web');
    mkdirSync(join(dist, 'assets'), { recursive: true });
    writeFileSync(join(dist, 'index.html'), '<!doctype html><title>page</title>');
    writeFileSync(join(dist, 'assets', 'index-3f9a2c81.js'), 'export {}');
    writeFileSync(join(this.folder, 'secret.txt'), 'secret');
    this.service = await startHttp({
      view: this.watch,
      store: this.store,
      metrics: new Metrics({ view: this.watch, store: this.store, services: 3 }),
      servesMetrics,
      repairer: this.repairer,
      page: { listen: '127.0.0.1:0', ...page },
      stateFolder: this.folder,
      controlSocket: this.socket,
      dist,
    });
  }

  get socket(): string {
    return join(this.folder, 'control.sock');
  }

  get url(): URL {
    return new URL(this.service.url as string);
  }

  async stop(): Promise<void> {
    await this.service.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Asks over TCP, or over a socket. */
  ask(path: string, { method = 'GET', headers = {}, body, socketPath }: Ask = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const target = socketPath === undefined ? { host: '127.0.0.1', port: this.url.port } : { socketPath };
      const sent = request({ ...target, path, method, headers, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.once('end', () => {
          const isJson = (response.headers['content-type'] ?? '').startsWith('application/json');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: text,
            json: isJson ? JSON.parse(text) : undefined,
          });
        });
      });
      sent.once('error', reject);
      sent.end(body);
    });
  }

  /** Asks for a change as the page does. */
  post(
    path: string,
    body: unknown = {},
    more: Readonly<Record<string, string>> = {},
    socketPath?: string,
  ): Promise<Answer> {
    return this.ask(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-synscope': '1', ...more },
      body: JSON.stringify(body),
      ...(socketPath === undefined ? {} : { socketPath }),
    });
  }
}
