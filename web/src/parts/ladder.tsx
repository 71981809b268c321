import type { JSX } from 'preact';
import type { Diagnosis } from '../../../src/model/diagnosis.ts';
import { buildLadder } from '../../../src/report/ladder-model.ts';
import { renderLadderSvg } from '../../../src/report/ladder-svg.ts';

/** The ladder of an attempt, drawn as the HTML report draws it. */
export function LadderFigure({ diagnosis }: { readonly diagnosis: Diagnosis }): JSX.Element {
  const ladder = buildLadder(diagnosis);
  const notes = ladder.rows.flatMap((row) =>
    row.row === 'arrow' && row.detail !== undefined
      ? [`${row.label} #${row.frames.map(({ frame }) => frame).join(', #')}: ${row.detail}.`]
      : [],
  );
  return (
    <figure class="ladder-figure">
      <div class="ends">
        <span>
          client <bdi>{ladder.lanes[0]?.name}</bdi>
        </span>
        <span>
          server <bdi>{ladder.lanes.at(-1)?.name}</bdi>
        </span>
      </div>
      {/* The report's own template escapes every text of it, and its tests hold it to that. */}
      <div class="drawing" dangerouslySetInnerHTML={{ __html: renderLadderSvg(ladder).text }} />
      {notes.length > 0 && (
        <figcaption>
          {notes.map((note) => (
            <p key={note}>{note}</p>
          ))}
        </figcaption>
      )}
    </figure>
  );
}
