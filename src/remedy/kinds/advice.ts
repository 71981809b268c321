import { defineKind, type Kind } from './kind.ts';

/** What only a person can do. */
export const advice: Kind = defineKind<'advice'>({
  kind: 'advice',
  prepare: async (_, change) => ({
    change,
    text: change.text,
    do: [],
    undo: [],
    before: '',
    dangers: [],
    alreadySo: true,
  }),
  read: async () => '',
});
