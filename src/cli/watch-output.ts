import process from 'node:process';
import { forTerminal } from '../report/escape.ts';
import type { WatchStatus, WatchView } from '../service/watch/view.ts';
import { IncidentEvents, incidentJson, incidentLine } from './watch-lines.ts';
import type { PagePlace } from './watch-page.ts';
import { WatchScreen } from './watch-screen.ts';

/** What a running watch shows. */
export interface WatchOutput {
  /** The watch has begun. */
  begin(page: PagePlace): void;
  /** The page is elsewhere now, or gone. */
  move(page: PagePlace): void;
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
    begin(page) {
      const { url } = page;
      const { notSeen } = view.status();
      if (screen !== undefined) screen.begin(page);
      else if (!json) {
        process.stderr.write(`synscope: ${forTerminal(whatIsWatched(view.status()))}; Ctrl-C ends it\n`);
        if (url !== undefined) sayPlace(page);
      }
      if (screen === undefined) {
        for (const { reason, hint } of notSeen) {
          process.stderr.write(
            `synscope: not seen: ${forTerminal(reason)}${hint === undefined ? '' : `; ${forTerminal(hint)}`}\n`,
          );
        }
      }
    },
    move(page) {
      if (screen !== undefined) screen.place(page);
      else if (!json) sayPlace(page);
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

function sayPlace({ url, tokenFile }: PagePlace): void {
  const token = tokenFile === undefined ? '' : `; the token for it is in ${forTerminal(tokenFile)}`;
  process.stderr.write(url === undefined ? 'synscope: no page is served\n' : `synscope: page on ${url}${token}\n`);
}
