import type { Host } from '../src/host/host.ts';
import type { Change } from '../src/model/cause.ts';
import type { RemedyOffer } from '../src/model/diagnosis.ts';
import type { Fault } from '../src/service/fix-fault.ts';

type NftChange = Extract<Change, { kind: 'nft-rule' }>;

/** The rules that remedies name by their handles, as they read: one that was deleted and came back has another handle. */
export class NamedRules {
  private readonly host: Host;
  private readonly texts = new Map<string, string>();

  private constructor(host: Host) {
    this.host = host;
  }

  /** Reads the rules that the remedies of a fault name. */
  static async of(host: Host, { remedies }: Fault): Promise<NamedRules> {
    const rules = new NamedRules(host);
    for (const change of remedies.flatMap(byHandle)) {
      const text = (await rules.chain(change)).get(change.handle ?? -1);
      if (text !== undefined) rules.texts.set(keyOf(change), text);
    }
    return rules;
  }

  /** The fault with the handles that the same rules have now. */
  async follow(fault: Fault): Promise<Fault> {
    if (this.texts.size === 0) return fault;
    const remedies: RemedyOffer[] = [];
    for (const offer of fault.remedies) {
      const changes = [];
      for (const change of offer.changes as readonly Change[]) changes.push(await this.present(change));
      remedies.push({ ...offer, changes });
    }
    return { ...fault, remedies };
  }

  private async present(change: Change): Promise<Change> {
    if (change.kind !== 'nft-rule' || change.handle === undefined) return change;
    const text = this.texts.get(keyOf(change));
    const now = [...(await this.chain(change))].find(([, one]) => one === text)?.[0];
    if (text === undefined || now === undefined) return change;
    const followed = { ...change, handle: now };
    this.texts.set(keyOf(followed), text);
    return followed;
  }

  /** The rules of a chain by their handles, without what they have counted. */
  private async chain({ family, table, chain }: NftChange): Promise<Map<number, string>> {
    const { stdout } = await this.host.run(['nft', '-s', '-a', 'list', 'chain', family, table, chain]);
    return new Map(
      [...stdout.matchAll(/^\s*(.*) # handle (\d+)$/gm)].map(([, text = '', handle]) => [Number(handle), text]),
    );
  }
}

function byHandle({ changes }: RemedyOffer): NftChange[] {
  return (changes as readonly Change[]).filter(
    (change) => change.kind === 'nft-rule' && change.handle !== undefined,
  ) as NftChange[];
}

function keyOf({ family, table, chain, handle }: NftChange): string {
  return [family, table, chain, handle].join(' ');
}
