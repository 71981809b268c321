import process from 'node:process';
import { forTerminal } from '../report/escape.ts';
import type { WatchStatus, WatchView } from '../service/watch/view.ts';
import { IncidentEvents, incidentJson, incidentLine } from './watch-lines.ts';
import { WatchScreen } from './watch-screen.ts';

/** What a running watch shows. */
export interface WatchOutput {
  /** The watch has begun. */
  begin(page: { readonly url?: string; readonly tokenFile?: string }): void;
  end(): void;
}

/** Shows a watch: a summary that is redrawn on a terminal, a line for each event of an incident elsewhere. */
export function watchOutput(view: WatchView, json: boolean): WatchOutput {
  const events = new IncidentEvents();
  const screen = process.stdout.isTTY && !json ? new WatchScreen(view) : undefined;
  const stop = view.subscribe((event) => {
    if (event.type !== 'incident') return;
    const what = events.take(event.incident);
    if (what === undefined) return;
    if (screen !== undefined) screen.draw();
    else process.stdout.write(`${json ? incidentJson(what, event.incident) : incidentLine(what, event.incident)}\n`);
  });
  return {
    begin({ url, tokenFile }) {
      const { notSeen } = view.status();
      if (screen !== undefined) screen.begin(url, tokenFile);
      else if (!json) {
        process.stderr.write(`synscope: ${forTerminal(whatIsWatched(view.status()))}; Ctrl-C ends it\n`);
        if (url !== undefined) process.stderr.write(`synscope: page on ${url}${tokenText(tokenFile)}\n`);
      }
      if (screen === undefined) {
        for (const { reason, hint } of notSeen) {
          process.stderr.write(
            `synscope: not seen: ${forTerminal(reason)}${hint === undefined ? '' : `; ${forTerminal(hint)}`}\n`,
          );
        }
      }
    },
    end() {
      stop();
      screen?.end();
    },
  };
}

function whatIsWatched({ namespaces, capture }: WatchStatus): string {
  if (capture.capturing === 0 && namespaces.length > 0) {
    return 'no handshake can be seen; listeners and changes of the network are followed';
  }
  return `watching every handshake of ${namespaces.length === 1 ? namespaces[0] : `${namespaces.length} network namespaces`}`;
}

function tokenText(tokenFile: string | undefined): string {
  return tokenFile === undefined ? '' : `; the token for it is in ${forTerminal(tokenFile)}`;
}
